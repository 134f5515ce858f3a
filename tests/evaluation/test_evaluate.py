import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import QUICK
from tests.evaluation.stored_json import key_tree, stored

import unweave
from unweave.data.views import View, base_dataset, split_rows
from unweave.evaluation.evaluate import agreement
from unweave.factors.factor import Factor
from unweave.runs.data import dataset_for
from unweave.runs.run import Run

CHEAP = ["mig@1", "factorvae@1"]


def test_scores_have_the_schema_and_are_written(quick_run: Run) -> None:
    scores = unweave.evaluate(quick_run, rows=500, protocols=CHEAP, repeats=2)
    assert set(scores["protocols"]) == set(CHEAP)
    for intervals in scores["protocols"].values():
        for interval in intervals.values():
            assert interval["low"] <= interval["value"] <= interval["high"]
    assert (scores["rows"], scores["seed"], scores["weights"]) == (500, 0, quick_run.digest())
    assert scores["data"]["factors"] == {"shape": 3, "scale": 4, "orientation": 8, "x": 8, "y": 8, "colour": 6}
    assert "metric noise of one training run" in scores["interval"]
    assert json.loads((quick_run.path / "scores.json").read_text()) == scores


def test_the_json_has_the_keys_that_it_had(quick_run: Run) -> None:
    scores = unweave.evaluate(quick_run, rows=510, protocols=["mig@1", "factorvae@1", "dci-2k@1"], repeats=1)
    assert key_tree(scores) == key_tree(stored("scores"))


def test_codes_are_encoded_once_and_protocols_add_up(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    unweave.evaluate(quick_run, rows=300, protocols=["mig@1"], repeats=1)
    monkeypatch.setattr("unweave.runs.codes.encode_rows", lambda *_: pytest.fail("encoded twice"))
    scores = unweave.evaluate(quick_run, rows=300, protocols=["factorvae@1"], repeats=1)
    assert set(scores["protocols"]) == {"mig@1", "factorvae@1"}


def test_codes_of_a_run_score_the_same_from_files(quick_run: Run, tmp_path: Path) -> None:
    arrays = unweave.encode(quick_run, weights="raw")
    assert arrays["codes"].shape == (36_864, 4, 1)
    np.savez(tmp_path / "codes.npz", **{name: array[:300] for name, array in arrays.items() if name != "factor_names"})
    units, factors = unweave.read_tables(tmp_path / "codes.npz", tmp_path / "codes.npz")[:2]
    assert (units.shape, factors.shape) == ((300, 4), (300, 6))


def test_a_set_without_factors_is_explained(quick_run: Run, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (12, 20, 20, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images)
    with pytest.raises(ValueError, match="no known factors"):
        unweave.evaluate(quick_run, data=str(tmp_path / "mine.npz"), rows=5)
    assert unweave.encode(quick_run, tmp_path / "mine.npz")["codes"].shape == (12, 4, 1)


def test_single_files_and_folders_are_encoded_by_name(quick_run: Run, tmp_path: Path) -> None:
    for name, colour in (("b.png", 40), ("a.png", 200)):
        Image.new("RGB", (24, 20), (colour, 0, 0)).save(tmp_path / name)
    folder = unweave.encode(quick_run, tmp_path)
    assert folder["files"].tolist() == ["a.png", "b.png"]
    single = unweave.encode(quick_run, [tmp_path / "b.png"])
    assert single["files"].tolist() == ["b.png"]
    np.testing.assert_allclose(single["codes"][0], folder["codes"][1], atol=1e-5)
    (tmp_path / "c").mkdir()
    shutil.copy(tmp_path / "b.png", tmp_path / "c")
    both = [str(tmp_path / "b.png"), str(tmp_path / "c" / "b.png")]
    assert unweave.encode(quick_run, both)["files"].tolist() == both


def test_another_set_is_fitted_to_the_run_or_refused(quick_run: Run, tmp_path: Path) -> None:
    grey = np.zeros((4, 20, 20, 1), np.uint8)
    np.savez(tmp_path / "grey.npz", images=grey, factors=np.arange(4)[:, None])
    with pytest.raises(ValueError, match="same number of channels"):
        unweave.evaluate(quick_run, data=str(tmp_path / "grey.npz"), rows=4)
    before = quick_run.scores()
    scores = unweave.evaluate(quick_run, data="sprites", rows=60, protocols=["mig@1"], repeats=1)
    assert scores["data"]["shape"] == [3, 16, 16]
    assert quick_run.scores() == before, "scores on other data must not replace the run's own"


def test_what_cannot_be_measured_is_kept_until_it_is(quick_run: Run) -> None:
    options = {"rows": 300, "repeats": 1, "seed": 41}
    first = unweave.evaluate(quick_run, protocols=["mig@1", "tad@1"], **options)
    assert list(first["not_measured"]) == ["tad@1"]
    second = unweave.evaluate(quick_run, protocols="irs@1", **options)
    assert list(second["protocols"]) == ["mig@1", "irs@1"]
    assert list(json.loads((quick_run.path / "scores.json").read_text())["not_measured"]) == ["tad@1"]
    assert list(quick_run.scores()["protocols"]) == ["irs@1", "mig@1"]


def test_scores_on_factors_say_which_units_they_are(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Factor((1, 3), 0.2), Factor((0,), 0.1), Factor((2,), 0.0)]
    monkeypatch.setattr("unweave.evaluation.evaluate.find_factors", lambda *settings: found)
    scores = unweave.evaluate(quick_run, rows=300, protocols=["dci-factors@1"], repeats=1)
    assert scores["groups"] == [[1, 3], [0], [2]]
    assert scores["protocols"]["dci-factors@1"]["groups"]["value"] == 3
    again = unweave.evaluate(quick_run, rows=300, protocols=["mig@1"], repeats=1)
    assert again["groups"] == scores["groups"]
    assert {"dci-factors@1", "mig@1"} <= set(again["protocols"])


def test_earlier_scores_are_never_lost(quick_run: Run) -> None:
    unweave.evaluate(quick_run, rows=70, protocols=["mig@1"], repeats=1)
    unweave.evaluate(quick_run, rows=80, protocols=["mig@1"], repeats=1)
    rows = [json.loads(path.read_text())["rows"] for path in quick_run.path.glob("scores-*.json")]
    assert 70 in rows
    assert quick_run.scores()["rows"] == 80


def test_pictures_of_the_matrices_lie_in_the_run(quick_run: Run) -> None:
    unweave.evaluate(quick_run, rows=300, protocols=["mig@1"], repeats=1)
    with Image.open(quick_run.path / "matrices" / "information-mig-1.png") as picture:
        assert picture.width > 100


def test_a_run_does_not_agree_with_itself(quick_run: Run) -> None:
    with pytest.raises(ValueError, match="are the same"):
        agreement([quick_run] * 3, rows=300)


@pytest.fixture(scope="module")
def train_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny run on the training split of sprites, of seed 5."""
    return unweave.train(
        "encdiff",
        {"data": {"view": {"split": "train", "split_seed": 5}}},
        data={"name": "sprites", "size": 16},
        method=QUICK,
        training={"images": 32, "batch": 16, "precision": "float32"},
        run=tmp_path_factory.mktemp("runs") / "train",
    )


def test_a_run_on_a_view_is_of_its_rows(train_run: Run) -> None:
    dataset = train_run.dataset()
    assert isinstance(dataset, View)
    assert (dataset.rows == split_rows(base_dataset(dataset), "train", 5)).all()
    assert train_run.foundation().rows == len(dataset) == 36_864 - 2 * 3_686
    assert train_run.record()["data"]["digest"] == dataset.digest()
    assert unweave.train(train_run.path, resume=True).state()["seen"] == 32


def test_a_run_is_scored_on_a_split_and_says_what_it_was_trained_on(
    train_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = {"rows": 400, "protocols": ["mig@1"], "repeats": 1}
    own = unweave.evaluate(train_run, **cheap)["data"]
    assert (own["name"], own["in_training"], own["images"]) == ("sprites (train)", 400, 29_492)
    assert own["part"].startswith("sprites (train): of the 400 rows scored, all are in the run's training set; --split")
    assert "split" not in own
    test = unweave.evaluate(train_run, split="test", **cheap)
    assert (test["data"]["split"], test["data"]["split_seed"], test["data"]["in_training"]) == ("test", 5, 0)
    assert test["data"]["part"] == "sprites (test): of the 400 rows scored, none are in the run's training set"
    assert test["data"]["digest"] == dataset_for(train_run, None, "test").digest() != own["digest"]
    assert train_run.scores()["data"] == own
    assert json.loads((train_run.path / "scores-test.json").read_text())["data"] == test["data"]
    assert (train_run.path / "matrices-test").is_dir()
    everything = unweave.evaluate(train_run, split="all", **cheap)["data"]
    assert (everything["name"], everything["images"], everything["split_seed"]) == ("sprites", 36_864, None)
    assert 270 < everything["in_training"] < 370
    unseen = unweave.evaluate(train_run, split="unseen", **cheap)["data"]
    assert (unseen["images"], unseen["split_seed"], unseen["in_training"]) == (36_864 - 29_492, None, 0)
    assert len(list((train_run.path / "codes").glob("*.npz"))) == 4
    monkeypatch.setattr("unweave.runs.codes.encode_rows", lambda *_: pytest.fail("the same rows were encoded twice"))
    assert unweave.evaluate(train_run, split="train", **cheap)["data"]["split"] == "train"


def test_a_run_on_all_rows_was_trained_on_every_split(quick_run: Run, tmp_path: Path) -> None:
    cheap = {"rows": 50, "protocols": ["mig@1"], "repeats": 1}
    data = unweave.evaluate(quick_run, split="test", **cheap)["data"]
    assert data["part"] == "sprites (test): of the 50 rows scored, all are in the run's training set"
    assert data["split_seed"] == 0
    with pytest.raises(ValueError, match="trained on every row of sprites"):
        unweave.evaluate(quick_run, split="unseen", **cheap)
    other = unweave.evaluate(quick_run, data="sprites", split="valid", **cheap)["data"]
    assert other["split"] == "valid"
    assert "in_training" not in other, "nothing is known of another data set's rows"
    plain = unweave.evaluate(quick_run, **cheap)["data"]
    assert not plain.keys() & {"split", "split_seed", "in_training", "part"}
    with pytest.raises(ValueError, match="Did you mean 'test'"):
        unweave.evaluate(quick_run, split="tset")


def test_a_split_is_encoded_with_the_row_numbers_of_the_full_set(train_run: Run, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images)
    everything = unweave.encode(train_run, tmp_path / "mine.npz")
    test = unweave.encode(train_run, tmp_path / "mine.npz", split="test")
    assert test["rows"].tolist() == split_rows(dataset_for(train_run, str(tmp_path / "mine.npz")), "test", 5).tolist()
    np.testing.assert_allclose(test["codes"], everything["codes"][test["rows"]], atol=1e-5)
    own = unweave.encode(train_run, split="valid")
    assert (own["factors"] == base_dataset(train_run.dataset()).factors(own["rows"])).all()
    assert len(own["codes"]) == 3_686
    Image.new("RGB", (24, 20)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="split='test' is of a data set, and single images were given"):
        unweave.encode(train_run, [tmp_path / "a.png"], split="test")


def test_scores_of_a_run_that_is_read_only_are_given_and_not_kept(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(shutil.copytree(quick_run.path, tmp_path / "run"))

    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)  # root may write everywhere
    scores = unweave.evaluate(run, rows=51, protocols=["mig@1"], repeats=1)  # whose codes no other test has kept
    assert scores["protocols"].keys() == {"mig@1"}
    assert "--output" in caplog.text
    assert "codes are not kept" in caplog.text
    assert run.scores() is None
