"""`unweave edit manipulate`, and units by name in the other edits."""

import numpy as np
import pytest
import torch
from PIL import Image

from unweave.editing import attribute as manipulation
from unweave.editing import verbs
from unweave.editing.attribute import labels, manipulate
from unweave.editing.attribute_direction import FitSettings
from unweave.evaluation.edits import evaluate_edits
from unweave.method import Sampling
from unweave.runs.run import Run

FEW = Sampling("ddim", 3)


def test_an_attribute_is_moved_both_ways(diti_run: Run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(manipulation, "FitSettings", lambda kept: FitSettings(kept=kept, steps=200))
    edit, facts = manipulate(
        diti_run, "shape=1", [3, 5], (-0.5, 0.0, 0.5), kept=4, sampling=FEW, output=tmp_path / "m.png"
    )
    assert edit.images.shape == (2, 3, 3, 16, 16)
    assert Image.open(tmp_path / "m.png").width > 100
    assert len(facts["kept"]) == 4
    _, few = manipulate(diti_run, "shape=1", [3], (0.5,), rows=50, sampling=FEW, output=tmp_path / "f.png")
    assert few["rows"] == {"train": 50, "test": facts["rows"]["test"]}
    assert facts["prevalence"] == pytest.approx(1 / 3, abs=0.05)
    assert not torch.equal(edit.images[:, 0], edit.images[:, 2])
    plain = verbs.reconstruct(diti_run, [3, 5], sampling=FEW, output=tmp_path / "r.png")
    torch.testing.assert_close(edit.images[:, 1], plain.images[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("attribute", "error", "message"),
    [
        ("shap", LookupError, "Did you mean 'shape'"),
        ("shape", ValueError, "shape=0"),
        ("shape=9", ValueError, "classes 0"),
        ("shape=x", ValueError, "classes 0"),
    ],
)
def test_what_is_no_attribute_is_refused(attribute: str, error: type, message: str, diti_run: Run, tmp_path) -> None:
    with pytest.raises(error, match=message):
        manipulate(diti_run, attribute, [1], sampling=FEW, output=tmp_path / "m.png")


def test_attributes_are_yes_or_no() -> None:
    factors = np.array([[0, 2], [1, 1], [1, 0]])
    assert labels(("hat", "hue"), (2, 3), factors, "hat").tolist() == [0, 1, 1]
    assert labels(("hat", "hue"), (2, 3), factors, "hat=0").tolist() == [1, 0, 0]
    assert labels(("hat", "hue"), (2, 3), factors, "hue=2").tolist() == [1, 0, 0]
    with pytest.raises(LookupError, match="none"):
        labels((), (), None, "hat")


def test_swaps_go_through_stages_numbers_ranges_and_times(diti_run: Run, tmp_path) -> None:
    every = verbs.swap(diti_run, [1], [2], sampling=FEW, output=tmp_path / "a.png")
    assert every.images.shape[1] == 3  # the stages
    some = verbs.swap(diti_run, [1], [2], ["0-3", 4, "t0-249"], sampling=FEW, output=tmp_path / "b.png")
    assert torch.equal(some.images[:, 0], every.images[:, 0])
    assert torch.equal(some.images[:, 2], every.images[:, 0])
    for words, error in (
        (["20-30"], ValueError),
        (["9-3"], ValueError),
        (["wall"], LookupError),
        ([24], ValueError),
    ):
        with pytest.raises(error):
            verbs.swap(diti_run, [1], [2], words, sampling=FEW, output=tmp_path / "c.png")


def test_the_other_edits_take_groups(diti_run: Run, tmp_path) -> None:
    assert verbs.heatmap(diti_run, [1], [2], sampling=FEW, output=tmp_path / "h.png").images.shape == (3, 16, 16)
    frames = verbs.interpolate(diti_run, [1], [2], ["t250-499"], steps=2, sampling=FEW, output=tmp_path / "i.png")
    assert frames.images.shape == (2, 1, 3, 16, 16)
    options = {"steps": 3, "sampling": FEW, "output": tmp_path / "j.png", "overwrite": True}
    still = verbs.interpolate(diti_run, [1], [2], ["t0-249"], **options)
    along = verbs.interpolate(diti_run, [1], [2], ["t0-249"], noise=True, **options)
    assert torch.equal(still.images[0], along.images[0])
    assert not torch.equal(still.images[1], along.images[1])
    with pytest.raises(ValueError, match="takes no seed"):
        verbs.interpolate(diti_run, [1], [2], noise=True, seed=0, **options)
    moved = verbs.traverse(diti_run, [1], steps=2, sampling=FEW, output=tmp_path / "t.png")
    assert moved.images.shape[0] == 3  # its groups, each as one
    few = verbs.traverse(diti_run, [1], ["0-2", 5], steps=2, sampling=FEW, output=tmp_path / "u.png").images
    assert few.shape[0] == 2


def test_edit_scores_are_of_groups(diti_run: Run) -> None:
    found = evaluate_edits(diti_run, sampling=Sampling("ddim", 2))
    assert len(found["protocols"]["swap-consistency@1"]["shares"]) == 3
    changes = np.array(found["protocols"]["edit-precision@1"]["changes"])
    assert changes.shape == (3, len(found["protocols"]["edit-precision@1"]["factor_names"]))
    assert Image.open(diti_run.pictures / "edit-changes.png").width > 200
