"""`unweave edit manipulate`, and units by name in the other edits."""

import numpy as np
import pytest
import torch
from PIL import Image

from unweave.editing import attribute as attribute_module
from unweave.editing import verbs
from unweave.editing.attribute import attribute_labels, manipulate
from unweave.editing.attribute_direction import FitSettings
from unweave.evaluation.edits import evaluate_edits
from unweave.method import Sampling
from unweave.runs.run import Run

FEW = Sampling("ddim", 3)


def test_an_attribute_is_moved_both_ways(diti_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute_module, "FitSettings", lambda kept: FitSettings(kept=kept, steps=200))
    edit, classifier = manipulate(diti_run, "shape=1", [3, 5], (-0.5, 0.0, 0.5), kept=4, sampling=FEW)
    assert edit.images.shape == (2, 3, 3, 16, 16)
    assert edit.labels == (["row 3", "row 5"], ["image", "-0.5", "+0", "+0.5"])
    assert edit.figure().width > 100
    assert len(classifier.kept) == 4
    _, few = manipulate(diti_run, "shape=1", [3], (0.5,), rows=50, sampling=FEW)
    assert few.rows == {"train": 50, "test": classifier.rows["test"]}
    assert classifier.prevalence == pytest.approx(1 / 3, abs=0.05)
    assert not torch.equal(edit.images[:, 0], edit.images[:, 2])
    rebuilt = verbs.reconstruct(diti_run, [3, 5], sampling=FEW)
    torch.testing.assert_close(edit.images[:, 1], rebuilt.images[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("attribute", "error", "message"),
    [
        ("shap", LookupError, "Did you mean 'shape'"),
        ("shape", ValueError, "shape=0"),
        ("shape=9", ValueError, "classes 0"),
        ("shape=x", ValueError, "classes 0"),
    ],
)
def test_what_is_no_attribute_is_refused(attribute: str, error: type, message: str, diti_run: Run) -> None:
    with pytest.raises(error, match=message):
        manipulate(diti_run, attribute, [1], sampling=FEW)


def test_attributes_are_yes_or_no() -> None:
    factors = np.array([[0, 2], [1, 1], [1, 0]])
    assert attribute_labels(("hat", "hue"), (2, 3), factors, "hat").tolist() == [0, 1, 1]
    assert attribute_labels(("hat", "hue"), (2, 3), factors, "hat=0").tolist() == [1, 0, 0]
    assert attribute_labels(("hat", "hue"), (2, 3), factors, "hue=2").tolist() == [1, 0, 0]
    with pytest.raises(LookupError, match="none"):
        attribute_labels((), (), None, "hat")


def test_swaps_go_through_stages_numbers_ranges_and_times(diti_run: Run) -> None:
    every = verbs.swap(diti_run, [1], [2], sampling=FEW)
    assert every.images.shape[1] == 3  # the stages
    some = verbs.swap(diti_run, [1], [2], ["0-3", 4, "t0-249"], sampling=FEW)
    assert torch.equal(some.images[:, 0], every.images[:, 0])
    assert torch.equal(some.images[:, 2], every.images[:, 0])
    for words, error in (
        (["20-30"], ValueError),
        (["9-3"], ValueError),
        (["wall"], LookupError),
        ([24], ValueError),
    ):
        with pytest.raises(error):
            verbs.swap(diti_run, [1], [2], words, sampling=FEW)


def test_the_other_edits_take_groups(diti_run: Run) -> None:
    assert verbs.heatmap(diti_run, [1], [2], sampling=FEW).images.shape == (3, 16, 16)
    frames = verbs.interpolate(diti_run, [1], [2], ["t250-499"], steps=2, sampling=FEW)
    assert frames.images.shape == (2, 1, 3, 16, 16)
    options = {"steps": 3, "sampling": FEW}
    still = verbs.interpolate(diti_run, [1], [2], ["t0-249"], **options)
    along = verbs.interpolate(diti_run, [1], [2], ["t0-249"], noise=True, **options)
    assert torch.equal(still.images[0], along.images[0])
    assert not torch.equal(still.images[1], along.images[1])
    with pytest.raises(ValueError, match="takes no seed"):
        verbs.interpolate(diti_run, [1], [2], noise=True, seed=0, **options)
    moved = verbs.traverse(diti_run, [1], steps=2, sampling=FEW)
    assert moved.images.shape[0] == 3  # its groups, each as one
    few = verbs.traverse(diti_run, [1], ["0-2", 5], steps=2, sampling=FEW).images
    assert few.shape[0] == 2


@pytest.mark.long
@pytest.mark.usefixtures("_few_swaps")
def test_edit_scores_are_of_groups(diti_run: Run) -> None:
    scores = evaluate_edits(diti_run, sampling=Sampling("ddim", 2))
    assert len(scores.swap_consistency.shares) == 3
    changes = np.array(scores.edit_precision.measured.changes)
    assert changes.shape == (3, len(scores.edit_precision.factor_names))
    assert Image.open(diti_run.pictures / "edit-changes.png").width > 200
