from pathlib import Path

import pytest
import torch
from PIL import Image

import unweave
from unweave.method import Sampling
from unweave.runs.images import read_images
from unweave.runs.run import Run

FEW = Sampling("ddim", 2)


def test_every_verb_returns_images_and_saves_a_figure(quick_run: Run, tmp_path: Path) -> None:
    shapes = {
        "swap": (2, 4, 3, 16, 16),
        "traverse": (4, 7, 2, 3, 16, 16),
        "interpolate": (7, 2, 3, 16, 16),
        "reconstruct": (2, 2, 3, 16, 16),
        "heatmap": (4, 16, 16),
        "attention_maps": (4, 16, 16),
    }
    for name, shape in shapes.items():
        pairs = {"partners": [2, 3]} if name in ("swap", "interpolate", "heatmap") else {}
        path = tmp_path / f"{name}.png"
        edit = getattr(unweave, name)(quick_run, images=[0, 1], **pairs, sampling=FEW, output=path)
        assert edit.images.shape == shape, name
        assert edit.files[0] == path
        assert Image.open(path).size == edit.picture.size
    assert (tmp_path / "traverse.gif").exists()


def test_verbs_need_no_images_and_never_overwrite(quick_run: Run) -> None:
    one, two = (unweave.reconstruct(quick_run, sampling=FEW) for _ in range(2))
    assert one.files != two.files
    assert all(path.exists() for path in one.files + two.files)
    with pytest.raises(FileExistsError):
        unweave.reconstruct(quick_run, sampling=FEW, output=one.files[0])


def test_a_users_own_image_is_fitted_to_the_run(quick_run: Run, tmp_path: Path) -> None:
    Image.new("RGBA", (50, 40), (255, 0, 0, 128)).save(tmp_path / "me.png")
    edit = unweave.swap(
        quick_run, images=[tmp_path / "me.png"], partners=[3], units=[1], sampling=FEW, output=tmp_path / "o.png"
    )
    assert edit.images.shape == (1, 1, 3, 16, 16)


def test_an_image_that_is_resized_is_told_of(quick_run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    turned = Image.new("RGB", (30, 20))
    exif = turned.getexif()
    exif[0x0112] = 6  # lies on its side
    turned.save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGB", (16, 16)).save(tmp_path / "fits.png")
    with caplog.at_level("INFO", logger="unweave"):
        read_images(quick_run, [tmp_path / "turned.jpg", tmp_path / "fits.png", 3])
    assert [record.getMessage() for record in caplog.records] == [
        "turned.jpg has 30 x 20 pixels: its middle is resized to 16 x 16 (height, width)."
    ]


def test_the_edit_of_an_image_with_itself_is_its_reconstruction(quick_run: Run, tmp_path: Path) -> None:
    swapped = unweave.swap(quick_run, images=[5], partners=[5], sampling=FEW, output=tmp_path / "s.png")
    rebuilt = unweave.reconstruct(quick_run, images=[5], sampling=FEW, output=tmp_path / "r.png")
    torch.testing.assert_close(swapped.images[0], rebuilt.images[1].expand(4, -1, -1, -1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("given", "error", "message"),
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
def test_bad_input_is_explained(quick_run: Run, given: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        unweave.swap(quick_run, **given, sampling=FEW)


def test_a_run_that_is_none_is_explained(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="not a run"):
        unweave.swap(tmp_path)


@pytest.mark.parametrize(("images", "partners"), [([1, 2, 3, 4], None), (None, [5, 6]), ([1, 2], [3]), (None, [5])])
def test_the_side_that_is_not_named_is_filled_up(quick_run: Run, images: list, partners: list, tmp_path: Path) -> None:
    for verb in (unweave.swap, unweave.heatmap, unweave.interpolate):
        path = tmp_path / f"{verb.__name__}.png"
        assert verb(quick_run, images=images, partners=partners, sampling=FEW, output=path).files == [path]


def test_a_target_that_is_taken_is_noticed_before_the_work(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.gif").write_bytes(b"mine")
    monkeypatch.setattr("unweave.editing.verbs.make_start", lambda *_, **__: pytest.fail("the work was begun"))
    with pytest.raises(FileExistsError, match=r"x\.gif"):
        unweave.traverse(quick_run, images=[1], output=tmp_path / "x.png")
    with pytest.raises(ValueError, match="must end in"):
        unweave.swap(quick_run, images=[1], partners=[2], output=tmp_path / "x.pdf")
    assert not (tmp_path / "x.png").exists()


def test_the_sampling_of_the_release_can_be_asked_for(quick_run: Run, tmp_path: Path) -> None:
    made = [
        unweave.reconstruct(
            quick_run, images=[1], seed=seed, sampling=Sampling("ddim", 4, eta=1.0), output=tmp_path / f"{i}.png"
        ).images
        for i, seed in enumerate((3, 3, 4))
    ]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0][1], made[2][1])


def test_units_go_to_their_quantiles(quick_run: Run, tmp_path: Path) -> None:
    edit = unweave.adjust(quick_run, [1, 2], {3: 0.9, "0": 0.1}, sampling=FEW, output=tmp_path / "a.png")
    assert edit.images.shape == (2, 3, 16, 16)
    other = unweave.adjust(quick_run, [1, 2], {"3": 0.9, 0: 0.1}, sampling=FEW, output=tmp_path / "b.png")
    assert torch.equal(edit.images, other.images)


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        ({}, ValueError, "which units"),
        ({3: 1.5}, ValueError, "3=1.5"),
        ({4: 0.5}, ValueError, r"0\.\.3"),
        ({"0-2": 0.5, 1: 0.1}, ValueError, "set twice"),
        ({"wall": 0.5}, LookupError, "no group of units 'wall'"),
    ],
)
def test_quantiles_that_cannot_be_are_explained(quick_run: Run, to: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        unweave.adjust(quick_run, [1], to, sampling=FEW)
