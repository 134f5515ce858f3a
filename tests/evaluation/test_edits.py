import json

import numpy as np
import pytest
from rich.console import Console
from tests.conftest import Recorder
from tests.data.in_memory import InMemory
from tests.evaluation.stored_json import key_tree, stored

from unweave import progress
from unweave.cli.tables import edits_table
from unweave.data import views
from unweave.data.dataset import Card
from unweave.data.reading.image_source import Labels
from unweave.data.sets.sprites import GRID
from unweave.evaluation.edits import _renderer, evaluate_edits
from unweave.method import Sampling
from unweave.runs.run import Run


@pytest.mark.slow
@pytest.mark.usefixtures("_few_swaps")
def test_swaps_of_a_run_are_measured_and_kept(quick_run: Run) -> None:
    recorder = Recorder()
    with progress.use(recorder):
        scores = evaluate_edits(quick_run, sampling=Sampling("ddim", 2))
    updates = recorder.updates_of("measuring swaps")
    done = [update.done for update in updates]
    assert done[:6] == [0, 128, 256, 384, 512, 640]  # images of the consistency: rebuilt, and of four units
    assert len(done) == 15
    assert {update.total - done[-1] for update in updates} == {done[-1] - done[-2]}, "the last batch is what is left"
    assert updates[0].note == "reconstructing"
    written = json.loads((quick_run.path / "edit_scores.json").read_text())
    assert written == json.loads(json.dumps(scores.to_json()))
    assert 0 <= scores.swap_consistency.consistency <= 1
    assert len(scores.swap_consistency.shares) == 4
    precision = scores.edit_precision
    assert precision.factor_names == list(quick_run.dataset().factor_names)
    assert precision.summary["ceiling_precision"] > 0.4  # true pictures; the probe is the limit
    assert precision.summary["ceiling_precision"] > precision.summary["edit_precision"]
    assert np.array(precision.measured.changes).shape == (4, len(precision.factor_names))
    assert key_tree(written) == key_tree(stored("edit_scores"))
    console = Console(width=160)
    with console.capture() as captured:
        console.print(edits_table(scores, "runs/a"))
    assert "swap consistency" in captured.get()
    assert quick_run.dataset().factor_names[0] in captured.get()


@pytest.mark.long
@pytest.mark.usefixtures("_few_swaps")
def test_swaps_are_measured_on_a_split(quick_run: Run) -> None:
    scores = evaluate_edits(quick_run, split="test", sampling=Sampling("ddim", 2))
    assert scores.data["name"] == "sprites (test)"
    assert scores.data["split"] == "test"
    assert scores.probe_rows + scores.edited_rows == 3_686
    assert "ceiling_precision" in scores.edit_precision.summary


def test_pictures_of_changed_factors_are_of_the_full_set(quick_run: Run) -> None:
    whole = quick_run.dataset()
    part = views.select_split(whole, "test")
    render = _renderer(part)
    assert render is not None
    first, second = np.arange(40), np.arange(40)[::-1].copy()
    changed = part.factors(first).copy()
    changed[:, 2] = part.factors(second)[:, 2]
    assert (render(first, second, 2) == whole.images(GRID.index(changed))).all()
    assert not np.isin(GRID.index(changed), part.rows).all()
    assert _renderer(views.View(part, first, "forty")) is not None


def test_a_set_that_is_no_grid_has_no_pictures_of_changed_factors() -> None:
    labels = Labels(("a", "b"), (2, 2), np.array([[0, 0], [0, 1], [1, 1]]))
    pixels = np.zeros((3, 8, 8, 1), np.uint8)
    assert _renderer(InMemory("three", pixels, labels, Card("three", "tests", "none"))) is None
