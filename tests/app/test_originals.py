import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unweave.app.explorer import Explorer
from unweave.app.originals import original_of, original_size
from unweave.data.dataset import Dataset
from unweave.data.formats.archive import ArchiveSettings
from unweave.data.formats.folder import FolderSettings
from unweave.data.open import open_data
from unweave.data.settings import DatasetSettings
from unweave.runs.run import Run


def opened(path: Path) -> tuple[DatasetSettings, Dataset]:
    """The settings of these pictures, and the pictures."""
    kind = ArchiveSettings if path.suffix == ".zip" else FolderSettings
    settings = kind(path=path, size=16)
    return settings, open_data(settings)


def test_rows_of_a_folder_and_of_a_zip_have_their_pictures(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for number, name in enumerate("ab"):
            Image.new("RGB", (40 + number, 30), "red").save(tmp_path / "photos" / f"{name}.png")
            archive.write(tmp_path / "photos" / f"{name}.png", f"{name}.png")
    for place in (tmp_path / "photos", tmp_path / "photos.zip"):
        settings, dataset = opened(place)
        assert [original_size(original_of(settings, dataset, row)) for row in (0, 1, 2, None)] == [
            (30, 40), (30, 41), None, None
        ]  # fmt: skip
    (tmp_path / "photos" / "a.png").unlink()
    settings, dataset = opened(tmp_path / "photos.zip")
    assert original_of(settings, dataset, tmp_path / "photos" / "a.png") is None
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert original_size(tmp_path / "bad.png") is None


def test_an_edit_is_put_onto_the_original(factored_run: Run, tmp_path: Path) -> None:
    explorer = Explorer(factored_run)
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "me.png")
    picked = explorer.pick(tmp_path / "me.png", None)
    assert explorer.full_size_of(picked) == (48, 64)
    before, same = explorer.at_full_size(picked, picked.positions)
    assert np.array_equal(before, same)
    assert np.array_equal(before, pixels)
    _, after = explorer.at_full_size(picked, [picked.positions[0], 1 - picked.positions[1], *picked.positions[2:]])
    assert not np.array_equal(after[:, 8:56], pixels[:, 8:56])
    assert np.array_equal(after[:, :8], pixels[:, :8])  # which the model does not see
    row = explorer.pick(3, None)
    assert explorer.full_size_of(row) is None
    with pytest.raises(ValueError, match="not at hand at its own size"):
        explorer.at_full_size(row, row.positions)
