import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unweave.evaluation.evaluate import evaluate
from unweave.evaluation.tables import read_tables
from unweave.files import read_json, write_json
from unweave.runs.codes import code_table, encode_rows
from unweave.runs.data import dataset_for
from unweave.runs.encoded_dataset import EncodedDataset
from unweave.runs.ledger import UnconfirmedError
from unweave.runs.ray_codes import Encoder, EncodingPlace, Reader, describe, table_to_stream
from unweave.runs.run import Run
from unweave.runs.sharded_codes import begin_codes, finish_codes

pytest.importorskip("pyarrow")


@pytest.fixture
def encoded(copy: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The codes of a run's own data, made part by part as on a cluster, but here."""
    monkeypatch.setattr("unweave.runs.ray_codes.PART_ROWS", 1_000)
    folder = tmp_path / "codes"
    table = table_to_stream(copy, None)
    about = describe(copy, table, copy.dataset(), copy.scored_weights())
    place = EncodingPlace(str(copy.path), str(folder))
    reader, encoder = Reader(place, about), Encoder(place, about)
    for part in begin_codes(folder, about):
        assert encoder(reader({"part": np.array([part])}))["failed"] == [""]
    finish_codes(folder, about)
    return folder


def test_stored_codes_are_those_that_the_run_gives(copy: Run, encoded: Path) -> None:
    dataset = dataset_for(copy, str(encoded))
    assert isinstance(dataset, EncodedDataset)
    rows = np.array([3, 1_000, len(dataset) - 1])
    own = encode_rows(copy.method(copy.scored_weights()), copy.dataset(), rows)
    assert np.allclose(code_table(copy, dataset, rows, 0, copy.scored_weights()), own, atol=1e-5)
    assert np.array_equal(dataset.images(rows), copy.dataset().images(rows))
    other = "raw" if copy.scored_weights() == "averaged" else "averaged"
    with pytest.raises(ValueError, match=f"{other} ones of .* unweave encode .* --weights {other} -o"):
        code_table(copy, dataset, rows, 0, other)


def test_codes_from_elsewhere_do_not_open_a_path_that_nobody_confirmed(
    copy: Run, encoded: Path, tmp_path: Path
) -> None:
    theirs = Path(shutil.copytree(encoded, tmp_path / "theirs"))
    about = read_json(theirs / "codes.json")
    write_json(theirs / "codes.json", {**about, "data": {"name": "shards", "path": str(tmp_path), "size": 16}})
    with pytest.raises(UnconfirmedError, match=r"theirs was not written here, and its settings ask to read"):
        dataset_for(copy, str(theirs))


def test_scores_of_stored_codes_are_those_of_the_run(copy: Run, encoded: Path) -> None:
    options = {"rows": 500, "protocols": ["mig@1"], "repeats": 1}
    stored, own = (evaluate(copy, data=data, **options) for data in (str(encoded), None))
    value = own["protocols"]["mig@1"]["mig"]["value"]
    assert stored["protocols"]["mig@1"]["mig"]["value"] == pytest.approx(value, abs=1e-6)


def test_shards_with_labels_are_scored_as_the_set_that_they_are_of(copy: Run, tmp_path: Path) -> None:
    dataset, rows = copy.dataset(), np.arange(0, 36_864, 60)
    pixels, factors = dataset.images(rows), dataset.factors(rows)
    assert factors is not None
    names, folder = list(dataset.factor_names), tmp_path / "tars"
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(len(rows)), 3)):
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            for row in map(int, part):
                content = io.BytesIO()
                Image.fromarray(pixels[row]).save(content, "PNG")
                label = json.dumps(dict(zip(names, factors[row].tolist()))).encode()
                for name, data in ((f"{row:04d}.png", content.getvalue()), (f"{row:04d}.json", label)):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    np.savez(tmp_path / "same.npz", images=pixels, factors=factors, factor_names=np.array(names))
    shards = {"name": "shards", "path": str(folder), "labels": "shards"}
    options = {"rows": 500, "protocols": ["mig@1"], "repeats": 1}
    of_shards, of_array = (evaluate(copy, data=data, **options) for data in (shards, str(tmp_path / "same.npz")))
    assert of_shards["protocols"] == of_array["protocols"]
    assert of_shards["protocols"]["mig@1"]["mig"]["value"] > 0


def test_tables_are_sampled_from_the_folder(copy: Run, encoded: Path, tmp_path: Path) -> None:
    tables = read_tables(encoded, encoded)
    assert len(tables.units) == min(50_000, len(copy.dataset()))
    assert tables.factor_names == list(copy.dataset().factor_names)
    with pytest.raises(ValueError, match="those of their folder"):
        read_tables(encoded, tmp_path / "others.csv")
