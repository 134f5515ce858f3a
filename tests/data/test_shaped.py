from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import QUICK
from tests.data.in_memory import HalfReadable, InMemory

import unweave
from unweave.data.shaped import ShapedDataset, can_be_shaped, to_shape


def test_colours_become_greys_and_sizes_the_wanted_one() -> None:
    red = np.zeros((2, 30, 40, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    assert (to_shape(red, (1, 16, 24)) == 76).all()  # 0.299 of 255
    assert to_shape(red, (3, 16, 24)).shape == (2, 16, 24, 3)
    assert can_be_shaped((3, 9, 9), (1, 4, 8))
    assert not can_be_shaped((1, 9, 9), (3, 9, 9))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12)])
def test_all_else_is_that_of_the_set(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 255, (5, 20, 24, 3), dtype=np.uint8)
    base = InMemory("set", images)
    dataset = ShapedDataset(base, shape)
    assert len(dataset) == 5
    assert dataset.images(np.array([3, 1])).shape == (2, *shape[1:], shape[0])
    assert dataset.digest() != base.digest()
    assert dataset.factors(np.arange(5)) is base.factors(np.arange(5)) is None


@pytest.mark.parametrize(("shape", "others"), [((16, 32, 3), (20, 20, 3)), ((16, 16, 1), (20, 20, 3))])
def test_a_run_of_another_shape_reads_other_data_and_files(
    tmp_path: Path, shape: tuple[int, int, int], others: tuple[int, int, int]
) -> None:
    draw = np.random.default_rng(0)
    for name, size in (("own", shape), ("other", others)):
        np.savez(tmp_path / f"{name}.npz", images=draw.integers(0, 255, (20, *size), dtype=np.uint8))
    training = {"images": 16, "batch": 16, "precision": "float32"}
    data = {"name": "npz", "path": str(tmp_path / "own.npz")}
    run = unweave.train("encdiff", data=data, method=QUICK, training=training, run=tmp_path / "run")
    Image.fromarray(draw.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    for images in (tmp_path / "own.npz", tmp_path / "other.npz", [str(tmp_path / "a.png")]):
        assert np.isfinite(unweave.encode(run, images)["codes"]).all()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12)])
def test_pictures_that_cannot_be_read_are_told_of(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 255, (5, 20, 24, 3), dtype=np.uint8)
    dataset = ShapedDataset(HalfReadable("set", images), shape)
    pixels, rows, bad = dataset.readable_images(np.arange(4))
    assert (pixels == dataset.images(np.array([0, 2]))).all()
    assert (rows.tolist(), bad) == ([0, 2], {1: "cut short", 3: "cut short"})
    assert dataset.readable_images(np.array([1]))[0].shape == (0, *shape[1:], shape[0])
