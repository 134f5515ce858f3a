from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import unweave
from unweave.editing.full_size import at_full_size, check_files, full_size, full_size_stems, places, save_full_size
from unweave.method import Sampling
from unweave.runs.run import Run

RNG = np.random.default_rng(0)
FEW = Sampling("ddim", 2)


def test_no_change_leaves_the_original_and_a_constant_one_is_added() -> None:
    original = RNG.integers(60, 200, (90, 140, 3), dtype=np.uint8)
    rebuilt = torch.rand(3, 16, 16) - 0.5
    same, brighter = at_full_size(original, rebuilt, torch.stack([rebuilt, rebuilt + 20 / 127.5]), "squash")
    np.testing.assert_array_equal(same.on_original, original)
    np.testing.assert_array_equal(brighter.on_original, original + 20)


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_the_change_lands_where_the_model_sees_it(fit: str) -> None:
    original = np.full((40, 80, 1), 100, np.uint8)
    rebuilt = torch.zeros(1, 8, 8)
    edited = rebuilt.clone()
    edited[:, 3:5, 3:5] = 0.5  # the middle
    on_original = at_full_size(original, rebuilt, edited[None], fit)[0].on_original
    y, x = np.nonzero(on_original[..., 0] > 110)
    assert (y.mean(), x.mean()) == pytest.approx((19.5, 39.5), abs=0.6)
    assert x.std() / y.std() == pytest.approx(2 if fit == "squash" else 1, rel=0.1)


def test_what_the_model_does_not_see_stays() -> None:
    original = RNG.integers(0, 256, (40, 80, 3), dtype=np.uint8)
    part, inside = places((40, 80), (8, 8), "crop")
    assert (part, inside) == ((0, 40, 20, 60), (0, 8, 0, 8))
    for pixels in at_full_size(original, torch.zeros(3, 8, 8), torch.ones(1, 3, 8, 8), "crop")[0]:
        np.testing.assert_array_equal(pixels[:, :20], original[:, :20])
        np.testing.assert_array_equal(pixels[:, 60:], original[:, 60:])


def test_edits_of_a_file_are_written_at_its_size(quick_run: Run, tmp_path: Path) -> None:
    Image.fromarray(RNG.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(tmp_path / "me.png")
    names = [str(tmp_path / "me.png")]
    edit = unweave.swap(quick_run, names, [5], [0, 2], sampling=FEW)
    written = save_full_size(quick_run, names, edit, tmp_path / "out")
    assert [path.name for path in written] == [
        *("me-unit-0.png", "me-unit-0-enlarged.png", "me-unit-2.png", "me-unit-2-enlarged.png")
    ]
    assert all(Image.open(path).size == (70, 50) for path in written)
    written[0].unlink()
    with pytest.raises(FileExistsError, match="me-unit-0-enlarged"):
        save_full_size(quick_run, names, edit, tmp_path / "out")
    assert not written[0].exists()  # all or none
    edit = unweave.adjust(quick_run, names, {0: 0.9}, seed=0, sampling=FEW)
    assert save_full_size(quick_run, names, edit, tmp_path / "out")[0].name == "me-edit.png"
    with pytest.raises(ValueError, match="swap"):
        full_size(quick_run, names, replace(edit, rebuilt=None))
    with pytest.raises(ValueError, match="1 images were edited"):
        full_size(quick_run, names * 2, edit)


def test_no_name_comes_twice() -> None:
    names, columns = [Path("a/x.png"), Path("b/X.png")], ["image", "b c", "b-c", "b-c-enlarged"]
    assert full_size_stems(names, columns, 2) == ["x-b-c", "x-b-c-enlarged-2", "X-b-c-2", "X-b-c-enlarged-3"]
    assert full_size_stems(names, ["image", "difference"], 1) == ["x-edit", "X-edit-2"]


def test_rows_have_no_size_of_their_own() -> None:
    for images in (None, [12], ["gone.png"]):
        with pytest.raises(ValueError, match="path of a picture"):
            check_files(images)
