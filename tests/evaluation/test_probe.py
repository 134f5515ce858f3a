"""`unweave probe`: factors, attributes and numbers, splits, files of targets, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import Recorder, shared
from tests.evaluation.stored_json import key_tree, stored
from typer.testing import CliRunner

import unweave
from unweave import progress
from unweave.cli.main import app
from unweave.cli.tables import probe_table
from unweave.data import views
from unweave.data.dataset import Card, Dataset
from unweave.editing import attribute, verbs
from unweave.editing.attribute import manipulate
from unweave.editing.attribute_direction import FitSettings
from unweave.evaluation import probe as module
from unweave.evaluation.probe import ProbeTargets, number_targets, probe, rows_of_splits
from unweave.method import Sampling
from unweave.runs.run import Run


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 images of 16 px whose brightness is an attribute of yes and no, and a number."""
    random = np.random.RandomState(0)
    level = random.rand(200)
    images = (level[:, None, None, None] * 200 + random.rand(200, 16, 16, 3) * 20).astype(np.uint8)
    path = tmp_path_factory.mktemp("labelled") / "bright.npz"
    np.savez(
        path,
        images=images,
        factors=np.stack([level > 0.5, random.rand(200) > 0.5], 1).astype(np.int64),
        factor_names=np.array(["bright", "coin"]),
        level=level,
    )
    return path


def test_factors_are_classified_and_the_result_is_kept(diti_run: Run) -> None:
    few_labels = probe(diti_run, rows=300, labels=5)
    assert few_labels.protocol == "probe-accuracy-5@2"
    assert few_labels.scored_weights == "averaged"  # as DiTi's authors score it
    assert list(few_labels.targets) == list(diti_run.dataset().factor_names)
    assert few_labels.rows == {"train": 300, "valid": 300, "test": 300}
    all_labels = probe(diti_run, rows=300)
    probes = json.loads((diti_run.path / "probes.json").read_text())
    assert few_labels.to_json() in probes.values()
    assert all_labels.to_json() in probes.values()
    assert len([key for key in probes if key.startswith("probe-accuracy")]) == 2
    assert few_labels.splits == "random, seed 0"
    assert few_labels.test_rows_in_training == 300  # the run saw all images, without labels
    assert probe_table(all_labels, "run").row_count == len(few_labels.targets) + 1


def test_the_json_has_the_keys_that_it_had(diti_run: Run) -> None:
    new, before = probe(diti_run, rows=300, labels=5), stored("probes")
    of_an_earlier_version = next(result for key, result in before.items() if key.startswith("probe-accuracy-5@2"))
    assert key_tree(json.loads(json.dumps(new.to_json()))) == key_tree(of_an_earlier_version)


def test_attributes_are_ranked_by_either_protocol(diti_run: Run, labelled: Path) -> None:
    ours = probe(diti_run, data=str(labelled))
    theirs = probe(diti_run, data=str(labelled), published=True)
    assert ours.protocol == "probe-ap@2"
    assert theirs.protocol == "probe-ap-adam@2"
    assert ours.targets["bright"]["average_precision"] > 0.95
    assert ours.rows == {"train": 160, "valid": 20, "test": 20}
    assert 0.2 < ours.targets["coin"]["average_precision"] < 0.95


def test_another_set_may_have_settings(diti_run: Run, labelled: Path) -> None:
    words = ["probe", str(diti_run.path), "--data", str(labelled), "--json"]
    whole, part = (
        json.loads(CliRunner().invoke(app, [*words, *more]).stdout) for more in ([], ["--set", "view.keep.bright=[1]"])
    )
    assert sum(whole["rows"].values()) == 200
    assert sum(part["rows"].values()) == (np.load(labelled)["level"] > 0.5).sum()
    assert part["data"]["settings"]["view"] == "{'keep': {'bright': [1]}}"
    for more, message in (
        (["--set", "crop=8"], "give both"),
        (["--data", str(labelled), "--set", "size=8"], "--set size=8"),
        (["--data", str(labelled), "--set", "data.size=8"], "--set data.size=8"),
    ):
        refused = CliRunner().invoke(app, ["probe", str(diti_run.path), *more])
        assert message in str(refused.exception)


@pytest.mark.parametrize("kind", ["npz", "npy", "csv"])
def test_numbers_are_read_from_a_file(kind: str, diti_run: Run, labelled: Path, tmp_path: Path) -> None:
    level = np.load(labelled)["level"]
    path = f"{labelled}:level"
    if kind == "npy":
        path = str(tmp_path / "level.npy")
        np.save(path, level)
    elif kind == "csv":
        path = str(tmp_path / "level.csv")
        Path(path).write_text("brightness\n" + "\n".join(map(str, level)))
    result = probe(diti_run, data=str(labelled), targets=path)
    name = "brightness" if kind == "csv" else "target 0"
    assert result.protocol == "probe-regression@2"
    assert result.targets[name]["r"] > 0.8
    assert result.targets[name]["mse"] < 0.04  # of a variance of 0.08


TABLES = Path(__file__).parents[1] / "data" / "tables" / "targets"


@pytest.mark.parametrize("name", ["plain.csv", "bom.csv", "quoted.csv", "savetxt.csv", "UP.CSV"])
def test_targets_in_every_dialect(name: str) -> None:
    read = number_targets(Pictures(40), TABLES / name)
    assert read.names == ["smile", "age"]
    assert read.values[0] == pytest.approx([0.126, -0.132])
    assert read.values.shape == (40, 2)


def test_targets_are_matched_by_file_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    lines = ["file;x;y", *(f"im{i:02}.png;{i}.5;{'NA' if i == 3 else i % 2}" for i in reversed(range(12)))]
    (tmp_path / "t.txt").write_text("\n".join(lines))
    recorder = Recorder()
    with progress.use(recorder):
        read = number_targets(Pictures(12), tmp_path / "t.txt")
    assert read.values[:, 0].tolist() == [i + 0.5 for i in range(12)]
    assert np.isnan(read.values[3, 1])
    assert "1 rows have a target missing" in recorder.messages[0]
    assert "column 1 (file), as it names files, by which rows were matched" in recorder.messages[0]


def test_rows_without_targets_are_left_out(diti_run: Run, labelled: Path, tmp_path: Path) -> None:
    level = np.load(labelled)["level"].copy()
    level[:100] = np.nan
    np.save(tmp_path / "half.npy", level)
    result = probe(diti_run, data=str(labelled), targets=tmp_path / "half.npy")
    assert sum(result.rows.values()) == 100


def test_published_splits_are_used_and_validation_is_taken_from_training_where_there_is_none() -> None:
    dataset = npz_of({"train": np.arange(80), "test": np.arange(80, 100)})
    parts = rows_of_splits(dataset, TARGETS, 1_000, 0)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 72, "valid": 8, "test": 20}
    assert set(parts["train"]) | set(parts["valid"]) == set(range(80))
    assert parts["test"].tolist() == list(range(80, 100))
    with pytest.raises(ValueError, match="needs train and test"):
        rows_of_splits(npz_of({"train": np.arange(80)}), TARGETS, 1_000, 0)
    whole = rows_of_splits(dataset, TARGETS, 1_000, 0, hold_out=False)
    assert len(whole["train"]) == 80


TARGETS = ProbeTargets(["one"], np.zeros((100, 1)))


def npz_of(splits: dict[str, np.ndarray]):
    dataset = views.View(Blank(), np.arange(100), "blank")
    dataset.splits = splits
    return dataset


class Blank(Dataset):
    name, shape, factor_names, factor_sizes, card = "blank", (3, 16, 16), (), (), Card("", "", "")

    def __len__(self) -> int:
        return 100

    def images(self, rows):
        return np.zeros((len(rows), 16, 16, 3), np.uint8)

    def factors(self, rows):
        return None

    def digest(self) -> str:
        return "00"


class Pictures(Blank):
    def __init__(self, count: int) -> None:
        self.files = tuple(f"im{i:02}.png" for i in range(count))

    def __len__(self) -> int:
        return len(self.files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "nothing.npy"}, "there is no file"),
        ({"published": True}, "are classes: leave published out"),
        ({"targets": "x", "labels": 5}, "labels=N"),
        ({"published": True, "labels": 5}, "labels=N"),
    ],
)
def test_what_cannot_be_probed_is_refused(options: dict, message: str, diti_run: Run) -> None:
    with pytest.raises(ValueError, match=message):
        probe(diti_run, rows=100, **options)


def test_targets_of_another_length_or_kind_are_refused(diti_run: Run, labelled: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "short.npy", np.zeros(7))
    np.save(tmp_path / "hole.npy", np.stack([np.full(200, np.nan), np.zeros(200)], 1))
    (tmp_path / "words.csv").write_text("a,b\nc,d\n")
    (tmp_path / "names.csv").write_text("a,a\n" + "1,2\n" * 200)
    (tmp_path / "more.csv").write_text("a,b,c\n" + "1,2\n" * 200)
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "empty.csv").write_text("")
    np.save(tmp_path / "flat.npy", np.zeros((200, 0)))
    for file, message in (
        ("short.npy", "one row for each"),
        ("hole.npy", "as finite numbers: target 0"),
        ("words.csv", "cannot be read as numbers"),
        ("names.csv", "give each its own"),
        ("more.csv", "line 1 has 3, line 2 has 2"),
        ("empty.npy", "cannot be read as numbers"),
        ("empty.csv", "cannot be read as numbers: it is empty"),
        ("flat.npy", r"shape \[200, 0\]"),
    ):
        with pytest.raises(ValueError, match=message):
            probe(diti_run, data=str(labelled), targets=tmp_path / file)
    with pytest.raises(ValueError, match="cannot be read as numbers"):
        probe(diti_run, data=str(labelled), targets=f"{labelled}:nothing")


def test_scores_of_lfw_are_matched_by_file(tmp_path: Path) -> None:
    """The lines of the table in another order than the rows, and a picture without scores."""
    random = np.random.RandomState(0)
    levels, head = {}, ["# lfw_attributes.txt 1.4", "#\tperson\timagenum\tMale\tAsian"]
    for person in ("Ada L", "Bob"):
        folder = tmp_path / "set" / "lfw_funneled" / person.replace(" ", "_")
        folder.mkdir(parents=True)
        for number in range(1, 7):
            Image.new("RGB", (250, 250)).save(folder / f"{folder.name}_{number:04d}.jpg")
            levels[person, number] = random.randn(2)
    lines = [f"{person}\t{number}\t{a}\t{b}" for (person, number), (a, b) in levels.items()]
    (tmp_path / "set" / "lfw_attributes.txt").write_text("\n".join([*head, *lines]) + "\n")
    dataset = unweave.open_data({"name": "lfw", "path": str(tmp_path / "set"), "size": 16})
    (tmp_path / "other").mkdir()
    table = tmp_path / "other" / "lfw_attributes.txt"
    table.write_text("\n".join([*head, *lines[:0:-1]]) + "\n")  # backwards, and without the first picture
    table_targets = number_targets(dataset, table)
    assert table_targets.names == ["Male", "Asian"]
    assert dataset.files[0] == "Ada_L/Ada_L_0001.jpg"
    assert np.isnan(table_targets.values[0]).all()
    for file, values in list(zip(dataset.files, table_targets.values))[1:]:
        person, number = Path(file).stem.rsplit("_", 1)
        assert values == pytest.approx(levels[person.replace("_", " "), int(number)])


def test_sets_of_both_kinds_rank_what_is_yes_or_no_and_classify_the_rest(
    diti_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    random = np.random.RandomState(0)
    factors = random.randint(0, [2, 3], (120, 2))
    factors = np.concatenate([factors, np.zeros((120, 1), np.int64)], 1)
    factors[0, 2] = 1  # an attribute that is constant in the test rows, or in the training rows
    images = random.randint(0, 40, (120, 16, 16, 3)).astype(np.uint8) + (factors[:, :1, None, None] * 200).astype(
        np.uint8
    )
    np.savez(tmp_path / "both.npz", images=images, factors=factors, factor_names=np.array(["bright", "kind", "rare"]))
    with caplog.at_level("INFO", logger="unweave"):
        result = probe(diti_run, data=str(tmp_path / "both.npz"))
    assert "both is read at 16 x 16 pixels (height, width)" in caplog.text
    assert result.targets["bright"]["average_precision"] > 0.9
    assert "average_precision" not in result.targets["kind"]
    assert "accuracy" in result.targets["kind"]
    assert result.protocol == "probe-ap+accuracy@2"
    each = [result.targets[name]["chance of accuracy"] for name in ("bright", "kind")]
    assert result.targets["rare"]["accuracy"] is None
    assert result.mean["chance of accuracy"] == pytest.approx(np.mean(each))  # of the targets that accuracy is over
    published = probe(diti_run, data=str(tmp_path / "both.npz"), published=True)
    assert published.targets["kind"] == {}
    assert probe_table(published, "run").row_count == 4
    monkeypatch.setattr(module, "ROWS", 10)
    assert sum(probe(diti_run, data=str(tmp_path / "both.npz"), published=True).rows.values()) == 120
    assert max(probe(diti_run, data=str(tmp_path / "both.npz")).rows.values()) == 10


@pytest.mark.long
def test_the_evaluation_of_celeba_runs_on_faces_in_its_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder as CelebA comes, of the CMU faces split by person: train DiTi, probe it both ways, move an attribute."""
    source = shared("data", "cmu_faces", "cmu_faces.npz")
    script = Path(__file__).parents[2] / "benchmarks" / "celeba_layout.py"
    command = [sys.executable, str(script), str(source), str(tmp_path / "faces"), "--by", "person"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    data = {"name": "celeba", "path": str(tmp_path / "faces"), "size": 16, "crop": "centre"}
    few = {"images": 64, "batch": 32, "precision": "float32", "preview": 64}
    small = {"channels": [16, 16], "attention": [False, True], "layers": 1, "heads": 2, "groups": 4}
    recipe = {"method": {"name": "denoiser", **small}, "preset": "laptop", "data": data, "training": few}
    run = unweave.train(
        "diti",
        {"foundation": {"denoiser": {"from": str(tmp_path / "denoiser"), "recipe": recipe}}},
        data=data,
        method={"dim": 16, "blocks": 8, "edges": [500, 1000], "widths": [8, 8], "encoder_widths": [32, 32]},
        training=few,
        run=tmp_path / "run",
    )
    dataset = run.dataset()
    people = np.load(source)["factors"][:, 0]
    parts = [set(people[dataset.splits[name]]) for name in ("train", "valid", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20  # nobody is in two
    names = {"pose_straight", "pose_left", "pose_right", "pose_up", "sunglasses_sunglasses", "expression_happy"}
    assert names <= set(dataset.factor_names)
    for published in (False, True):
        result = probe(run, published=published)
        assert sum(result.rows.values()) == 624
        assert result.rows["test"] == len(dataset.splits["test"])
        assert result.mean["average_precision"] > result.mean["chance of average_precision"]
    monkeypatch.setattr(attribute, "FitSettings", lambda kept: FitSettings(kept=kept, steps=200))
    edit, classifier = manipulate(run, "sunglasses_sunglasses", [0], (0.0, 0.3), kept=4, sampling=Sampling("ddim", 3))
    assert edit.images.shape == (1, 2, 3, 16, 16)
    assert classifier.average_precision > 0
    frames = verbs.interpolate(run, [0], [1], ["b2-5"], steps=[0, 0.5], noise=True, sampling=Sampling("ddim", 3))
    assert frames.images.shape == (2, 1, 3, 16, 16)
