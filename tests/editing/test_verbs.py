from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.conftest import Recorder

import unweave
from unweave import progress
from unweave.editing.interpolate import interpolation_weights
from unweave.method import Sampling
from unweave.runs.factors import require_factors, write_factors
from unweave.runs.run import Run

FEW = Sampling("ddim", 2)


def test_every_verb_returns_images_and_a_figure_and_writes_nothing(quick_run: Run, tmp_path: Path) -> None:
    shapes = {
        "swap": (2, 4, 3, 16, 16),
        "traverse": (4, 7, 2, 3, 16, 16),
        "interpolate": (7, 2, 3, 16, 16),
        "reconstruct": (2, 2, 3, 16, 16),
        "heatmap": (4, 16, 16),
        "attention_maps": (4, 16, 16),
    }
    before = set(quick_run.path.rglob("*"))
    for name, shape in shapes.items():
        pairs = {"partners": [2, 3]} if name in ("swap", "interpolate", "heatmap") else {}
        edit = getattr(unweave, name)(quick_run, images=[0, 1], **pairs, sampling=FEW)
        assert edit.images.shape == shape, name
        path = tmp_path / f"{name}.png"
        assert edit.save(path) == path
        assert Image.open(path).size == edit.figure().size
        assert (edit.film is not None) == (name == "traverse")
    assert set(quick_run.path.rglob("*")) == before


def test_the_labels_are_those_of_the_figure(quick_run: Run) -> None:
    swapped = unweave.swap(quick_run, [0, 1], [2, 3], [1, 3], sampling=FEW)
    assert swapped.labels == (["row 0", "row 1"], ["image", "partner", "rebuilt", "unit 1", "unit 3"])
    traversed = unweave.traverse(quick_run, [0], [2], steps=3, sampling=FEW)
    assert traversed.labels == (["unit 2"], ["2 %", "50 %", "98 %"])
    assert unweave.heatmap(quick_run, [0], [1], sampling=FEW).labels == ([], [f"unit {unit}" for unit in range(4)])


def test_verbs_need_no_images(quick_run: Run) -> None:
    assert unweave.reconstruct(quick_run, sampling=FEW).images.shape == (2, 8, 3, 16, 16)


def test_a_users_own_image_is_fitted_to_the_run(quick_run: Run, tmp_path: Path) -> None:
    Image.new("RGBA", (50, 40), (255, 0, 0, 128)).save(tmp_path / "me.png")
    edit = unweave.swap(quick_run, images=[tmp_path / "me.png"], partners=[3], units=[1], sampling=FEW)
    assert edit.images.shape == (1, 1, 3, 16, 16)


def test_the_edit_of_an_image_with_itself_is_its_reconstruction(quick_run: Run) -> None:
    swapped = unweave.swap(quick_run, images=[5], partners=[5], sampling=FEW)
    rebuilt = unweave.reconstruct(quick_run, images=[5], sampling=FEW)
    torch.testing.assert_close(swapped.images[0], rebuilt.images[1].expand(4, -1, -1, -1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"images": [10**9]}, ValueError, "row must be in 0..36863"),
        ({"images": ["none.png"], "partners": [1]}, ValueError, r"none\.png"),
        (
            {"images": [1], "partners": [2], "units": [4]},
            ValueError,
            "unit must be in 0..3, got 4: this run has 4 units",
        ),
        ({"images": [], "partners": []}, ValueError, "no images to edit"),
        ({"images": [1, 2], "partners": [1, 2, 3]}, ValueError, "one shape"),
    ],
)
def test_bad_input_is_explained(quick_run: Run, options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        unweave.swap(quick_run, **options, sampling=FEW)


def test_a_run_that_is_none_is_explained(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="not a run"):
        unweave.swap(tmp_path)


@pytest.mark.parametrize(
    ("images", "partners", "count"), [([1, 2, 3, 4], None, 4), (None, [5, 6], 2), ([1, 2], [3], 2), (None, [5], 3)]
)
def test_the_side_that_is_not_named_is_filled_up(
    quick_run: Run, images: list | None, partners: list | None, count: int
) -> None:
    assert len(unweave.swap(quick_run, images=images, partners=partners, sampling=FEW).labels.rows) == count
    assert len(unweave.interpolate(quick_run, images=images, partners=partners, sampling=FEW).labels.rows) == count
    assert unweave.heatmap(quick_run, images=images, partners=partners, sampling=FEW).images.shape == (4, 16, 16)


def test_the_sampling_of_the_release_can_be_asked_for(quick_run: Run) -> None:
    release = Sampling("ddim", 4, eta=1.0)
    first, again, other = (
        unweave.reconstruct(quick_run, images=[1], seed=seed, sampling=release).images for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first[1], other[1])


def test_units_go_to_their_quantiles(quick_run: Run) -> None:
    edit = unweave.adjust(quick_run, [1, 2], {3: 0.9, "0": 0.1}, sampling=FEW)
    assert edit.images.shape == (2, 3, 16, 16)
    other = unweave.adjust(quick_run, [1, 2], {"3": 0.9, 0: 0.1}, sampling=FEW)
    assert torch.equal(edit.images, other.images)


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        ({}, ValueError, "which units"),
        ({3: 1.5}, ValueError, "3=1.5"),
        ({3: "high"}, ValueError, "3=high says no place"),
        ({4: 0.5}, ValueError, r"0\.\.3"),
        ({"0-2": 0.5, 1: 0.1}, ValueError, "set twice"),
        ({"wall": 0.5}, LookupError, "no group of units 'wall'"),
    ],
)
def test_quantiles_that_cannot_be_are_explained(quick_run: Run, to: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        unweave.adjust(quick_run, [1], to, sampling=FEW)


def test_a_word_is_one_image_and_names_units_by_its_commas(quick_run: Run) -> None:
    swapped = unweave.swap(quick_run, "12", "13", "1", sampling=FEW)
    assert swapped.labels == (["row 12"], ["image", "partner", "rebuilt", "unit 1"])
    assert unweave.swap(quick_run, 12, 13, 1, sampling=FEW).images.equal(swapped.images)
    assert unweave.swap(quick_run, ["12"], ["13"], [1], sampling=FEW).images.equal(swapped.images)
    assert unweave.swap(quick_run, 12, None, "0, 3", sampling=FEW).labels[1][3:] == ["unit 0", "unit 3"]
    assert unweave.swap(quick_run, None, "13", 0, sampling=FEW).images.shape[0] == 3
    assert unweave.reconstruct(quick_run, "12", sampling=FEW).images.shape[1] == 1
    with pytest.raises(ValueError, match=r"unit must be in 0\.\.3, got 14"):
        unweave.traverse(quick_run, 0, "14", sampling=FEW)


def test_a_closed_factor_goes_once_round_and_an_open_one_from_low_to_high(factored_run: Run) -> None:
    round_ = unweave.traverse(factored_run, [1], "f1", steps=4, sampling=FEW)
    assert round_.images.shape == (1, 4, 1, 3, 16, 16)
    assert round_.labels == (["f1"], ["0% round", "25% round", "50% round", "75% round"])
    ends = unweave.adjust(factored_run, [1], {"f1": 0.0}, seed=0, sampling=FEW).images
    again = unweave.adjust(factored_run, [1], {"f1": 1.0}, seed=0, sampling=FEW).images
    torch.testing.assert_close(ends, again)
    torch.testing.assert_close(round_.images[0, 0], ends)
    steps = round_.images[0, :, 0]
    assert all((steps[i] - steps[j]).abs().max() > 0.01 for i in range(4) for j in range(i))
    both = unweave.traverse(factored_run, [1], "f1,f2", steps=3, sampling=FEW)
    assert both.labels == (["f1", "f2, size"], ["step 1", "step 2", "step 3"])
    assert unweave.traverse(factored_run, [1], "f2", steps=3, sampling=FEW).labels[1] == ["2 %", "50 %", "98 %"]


def test_a_factor_without_a_coordinate_moves_along_its_first_principal_component(
    factored_run: Run,
) -> None:
    found = require_factors(factored_run)
    write_factors(factored_run, found.with_factor(0, replace(found.factors[0], coordinate=None)))
    recorder = Recorder()
    with progress.use(recorder):
        moved = unweave.traverse(factored_run, [1], "f1", steps=2, sampling=FEW)
    assert moved.labels.columns == ["2 %", "98 %"]
    assert (moved.images[0, 0] - moved.images[0, 1]).abs().max() > 0.01
    assert "f1 has no coordinate: its first principal component is moved." in recorder.messages


def test_factors_of_earlier_weights_are_said(factored_run: Run, caplog: pytest.LogCaptureFixture) -> None:
    write_factors(factored_run, replace(require_factors(factored_run), weights="0" * 16))
    assert len(unweave.swap(factored_run, [0], [1], sampling=FEW).labels.columns) == 3 + 4
    assert not caplog.records
    unweave.swap(factored_run, [0], [1], "f1", sampling=FEW)
    assert "before further training" in caplog.text


@pytest.mark.usefixtures("untyped")
def test_a_word_is_no_number_of_steps() -> None:
    with pytest.raises(ValueError, match="steps are their number, or shares"):
        interpolation_weights("0.5")


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("images", [Image.new("RGB", (16, 16)), [None], [0.5], [True], torch.zeros(1, 3, 16, 16)])
def test_what_is_no_name_of_an_image_is_explained(quick_run: Run, images: object) -> None:
    with pytest.raises(TypeError, match="row numbers of the data set or paths of image files, got a"):
        unweave.reconstruct(quick_run, images, sampling=FEW)
