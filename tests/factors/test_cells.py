"""The set of cells of benchmarks/cells.py, with the true factors as codes: which have an accepted name."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from unweave.factors.factor import Coordinate, Factor, Mode
from unweave.factors.measurements import measure_pictures
from unweave.factors.names import Observed, measured_name, place_of, region_of
from unweave.figures.pixels import rgb_pixels

ROWS, EDITED = 160, 64
BLACK, WHITE = 178, 3100  # grey levels, about what `data.range=auto` takes
ACCEPTED = {
    "size": {"area"},
    "elongation": {"elongation", "circularity"},
    "angle": {"orientation"},
    "brightness": {"brightness", "hue", "saturation"},
    "texture": {"texture scale", "edge density"},
}


@pytest.fixture(scope="module")
def cells() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "cells.py"
    spec = importlib.util.spec_from_file_location("cells", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawn(cells: ModuleType, factors: np.ndarray, seed: int) -> np.ndarray:
    """Pictures of cells with these classes, as they are shown."""
    names, rng = list(cells.FACTORS), np.random.default_rng(seed)
    values = [{name: cells.FACTORS[name][i] for name, i in zip(names, row)} for row in factors]
    numbers = np.stack([cells.draw_cell(rng=rng, **cell) for cell in values]).astype(float).transpose(0, 2, 3, 1)
    return rgb_pixels(((numbers - BLACK) / (WHITE - BLACK) * 255).round().clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("factor", ACCEPTED)
def test_a_true_factor_of_cells_is_named(cells: ModuleType, factor: str) -> None:
    sizes, column = [len(values) for values in cells.FACTORS.values()], list(cells.FACTORS).index(factor)
    closed, classes = factor == "angle", sizes[column]
    rng = np.random.default_rng(0)
    base = rng.integers(0, sizes, (ROWS, len(sizes)))
    edit = base[:EDITED].copy()
    edit[:, column] = rng.integers(0, classes, EDITED)
    before, after = drawn(cells, base, 1), drawn(cells, edit, 1)
    region = region_of(np.abs(after.astype(float) - before[:EDITED]).mean((0, 3)) / 255)
    regions = np.stack([np.ones_like(region), region])
    positions = np.arange(classes) / (classes if closed else classes - 1)
    states = tuple(Mode(position, 1 / classes) for position in positions) if classes <= 6 else ()
    coordinate = Coordinate(closed, positions[:, None], np.quantile(positions, np.linspace(0, 1, 101)), 0.0)
    observed = [
        Observed(positions[rows[:, column]], *measure_pictures(pictures, regions))
        for rows, pictures in ((base, before), (edit, after))
    ]
    name = measured_name(Factor((0,), 1.0, coordinate, states), *observed, place_of(region))
    assert name is not None
    assert name.words.split(" of the ")[0] in ACCEPTED[factor], name


def test_the_set_is_the_same_for_the_same_seed(cells: ModuleType) -> None:
    images, factors = cells.draw_cells(3, seed=4)
    again, _ = cells.draw_cells(3, seed=4)
    assert (images == again).all()
    assert images.dtype == np.uint16
    assert images.shape == (3, 2, 64, 64)
    assert images.max() <= 4095
    assert all(cell["elongation"] >= 1.3 for cell in factors)
