"""What holds of every data set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unweave.data.dataset import Dataset
from unweave.data.factors import FactorGrid
from unweave.data.open import open_data
from unweave.data.sets import glyphs, rooms, sprites

NAMES = ["rooms", "rooms at 32", "sprites", "glyphs", "npz", "npz at 16", "folder"]
GRIDS = ["rooms", "rooms at 32", "sprites", "glyphs", "npz", "npz at 16"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    grid = FactorGrid(("a", "b", "c"), (2, 3, 4))
    images = rng.integers(0, 256, (len(grid), 20, 24, 3), dtype=np.uint8)
    np.savez(path / "noise.npz", images=images, factors=grid.factors(np.arange(len(grid))), factor_names=grid.names)
    (path / "pictures").mkdir()
    for i, image in enumerate(images[:9]):
        Image.fromarray(image).save(path / "pictures" / f"{i}.png")
    return {
        "rooms": {"name": "rooms"},
        "rooms at 32": {"name": "rooms", "size": 32},
        "sprites": {"name": "sprites"},
        "glyphs": {"name": "glyphs"},
        "npz": {"name": "npz", "path": str(path / "noise.npz")},
        "npz at 16": {"name": "npz", "path": str(path / "noise.npz"), "size": 16},
        "folder": {"name": "folder", "path": str(path / "pictures"), "size": 16},
    }


@pytest.fixture(scope="module")
def datasets(tables):
    return {name: open_data(table) for name, table in tables.items()}


def some(dataset: Dataset, count: int = 40) -> np.ndarray:
    return np.random.default_rng(1).integers(0, len(dataset), count)


@pytest.mark.parametrize("name", NAMES)
def test_images_are_as_the_shape_says(datasets, name):
    dataset = datasets[name]
    channels, height, width = dataset.shape
    for count in (0, 1, 40):
        images = dataset.images(some(dataset, count))
        assert images.dtype == np.uint8
        assert images.shape == (count, height, width, channels)
    assert images.std() > 1


@pytest.mark.parametrize("name", NAMES)
def test_images_are_deterministic_and_follow_order_and_repeats(datasets, name):
    dataset, rows = datasets[name], some(datasets[name])
    images = dataset.images(rows)
    assert (images == dataset.images(rows)).all()
    assert (images[::-1] == dataset.images(rows[::-1])).all()
    assert (np.concatenate([images, images]) == dataset.images(np.concatenate([rows, rows]))).all()
    assert (images[3:4] == dataset.images(rows[3:4].astype(np.int32))).all()


@pytest.mark.parametrize("name", NAMES)
def test_images_are_the_callers_own(datasets, name):
    dataset, rows = datasets[name], some(datasets[name], 2)
    before = dataset.images(rows)
    dataset.images(rows)[...] = 0
    assert (dataset.images(rows) == before).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("far", [0, 10**9, None])
def test_rows_out_of_range_raise(datasets, name, far):
    row = -1 if far is None else len(datasets[name]) + far
    for read in (datasets[name].images, datasets[name].factors):
        with pytest.raises(IndexError, match=f"got {row}"):
            read(np.array([0, row]))


@pytest.mark.parametrize("name", NAMES)
def test_a_set_opened_twice_has_one_digest(tables, datasets, name):
    digest = datasets[name].digest()
    assert open_data(tables[name]).digest() == digest
    assert int(digest, 16) >= 0
    assert [other for other in NAMES if datasets[other].digest() == digest] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_filled_in(datasets, name):
    assert all([datasets[name].card.title, datasets[name].card.source, datasets[name].card.licence])


@pytest.mark.parametrize("name", GRIDS)
def test_the_length_is_the_product_of_sizes_and_factors_invert(datasets, name):
    dataset = datasets[name]
    grid = FactorGrid(dataset.factor_names, dataset.factor_sizes)
    assert len(dataset) == len(grid)
    rows = some(dataset)
    factors = dataset.factors(rows)
    assert (factors < dataset.factor_sizes).all()
    assert (grid.index(factors) == rows).all()


@pytest.mark.parametrize("name", GRIDS)
def test_changing_one_factor_changes_the_picture(datasets, name):
    dataset = datasets[name]
    grid = FactorGrid(dataset.factor_names, dataset.factor_sizes)
    for column, size in enumerate(dataset.factor_sizes):
        factors = grid.sample(20, np.random.default_rng(column))
        changed = factors.copy()
        changed[:, column] = (changed[:, column] + 1) % size
        differ = dataset.images(grid.index(factors)) != dataset.images(grid.index(changed))
        assert differ.any((1, 2, 3)).all(), dataset.factor_names[column]


@given(st.data())
def test_round_trip_on_the_procedural_grids(data):
    grid = data.draw(st.sampled_from([rooms.GRID, sprites.GRID, glyphs.GRID]))
    rows = np.array(data.draw(st.lists(st.integers(0, len(grid) - 1), max_size=9)), int)
    assert (grid.index(grid.factors(rows)) == rows).all()


def test_unlabelled_sets_have_no_factors(datasets):
    assert datasets["folder"].factors(np.array([0])) is None
    assert datasets["folder"].factor_names == datasets["folder"].factor_sizes == ()
