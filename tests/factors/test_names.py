"""Names of the true factors, with the true values as positions and the true pictures as edits."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from tests.conftest import shared

import unweave
from unweave.data.dataset import Dataset
from unweave.data.factors import FactorGrid
from unweave.factors.factor import Coordinate, Factor, Mode
from unweave.factors.measurements import MEASUREMENTS, measure_pictures
from unweave.factors.names import (
    MeasuredName,
    Observed,
    follows_words,
    measured_agreements,
    name_factor,
    place_of,
    region_of,
)
from unweave.types import FactorTable, Pixels

APPEARANCE = {"brightness", "contrast", "hue", "saturation", "edge density", "texture scale"}
FORM = {"area", "horizontal position", "vertical position", "orientation", "elongation", "solidity", "circularity"}
COLOUR, OUTLINE = {"hue", "brightness", "saturation"}, {"elongation", "solidity", "circularity"}
ACCEPTED = {
    "rooms": {
        "floor_hue": {"hue"},
        "wall_hue": {"hue"},
        "object_hue": {"hue"},
        "scale": {"area"},
        "shape": OUTLINE,
        "orientation": {"orientation", "horizontal position"},
    },
    "sprites": {
        "shape": OUTLINE,
        "scale": {"area"},
        "orientation": {"orientation"},
        "x": {"horizontal position"},
        "y": {"vertical position"},
        "colour": {"hue"},
    },
    "lpc_sprites": {
        "body": COLOUR,
        "bottomwear": COLOUR,
        "topwear": COLOUR,
        "hair": COLOUR,
        "action": FORM,
        "direction": FORM,
    },
}
"""By data set and true factor: what may be said to follow it. "No measured name" is right as well where no measurement
reaches half an agreement."""


def test_every_accepted_name_is_of_a_measurement() -> None:
    for factors in ACCEPTED.values():
        assert set().union(*factors.values()) <= APPEARANCE | FORM


HUES = {"floor_hue", "wall_hue", "object_hue", "colour"}  # on a circle
PLACES = {
    "floor_hue": {"bottom"},
    "wall_hue": {"top", "upper left", "upper right", "left", "right"},
    "object_hue": {"centre"},
}
ROWS, EDITED = 160, 64


@pytest.fixture(scope="module")
def datasets() -> Callable[[str], Dataset]:
    @cache
    def opened(name: str) -> Dataset:
        if name == "lpc_sprites":
            return unweave.open_data(shared("data", name, f"{name}.npz"))
        return unweave.open_data({"name": name, "size": 32})

    return opened


def true_factor(name: str, classes: int) -> Factor:
    """The factor as it would be found: its coordinate, and states where there are few classes."""
    closed = name in HUES
    positions = np.arange(classes) / (classes if closed else classes - 1)
    coordinate = Coordinate(closed, positions[:, None], np.quantile(positions, np.linspace(0, 1, 101)), 0.0)
    states = tuple(Mode(position, 1 / classes) for position in positions) if classes <= 6 else ()
    return Factor((0,), 1.0, coordinate, states)


def named(dataset: Dataset, column: int) -> tuple[MeasuredName | None, float]:
    """The name of a true factor, pictures with another class of it being its edits; and the largest agreement."""
    rng = np.random.default_rng(0)
    table = dataset.factors(np.arange(len(dataset)))
    grid = FactorGrid(dataset.factor_names, tuple(int(count) for count in table.max(0) + 1))
    rows = np.empty(len(grid), int)
    rows[grid.index(table)] = np.arange(len(table))  # the row of every combination
    factor = true_factor(grid.names[column], grid.sizes[column])

    def pictures(factors: FactorTable) -> Pixels:
        return dataset.images(rows[grid.index(factors)])

    base, after = grid.sample(ROWS, rng), grid.sample(EDITED, rng)
    edit = base[:EDITED].copy()
    edit[:, column] = after[:, column]
    change = np.abs(pictures(edit).astype(float) - pictures(base[:EDITED])).mean((0, 3)) / 255
    region = region_of(change)
    regions = np.stack([np.ones_like(region), region])
    assert factor.coordinate is not None
    step = 1 / (grid.sizes[column] if factor.coordinate.closed else grid.sizes[column] - 1)
    observed = [
        Observed(factors[:, column] * step, *measure_pictures(pictures(factors), regions)) for factors in (base, edit)
    ]
    name = name_factor(factor, *observed, place_of(region))
    return name, measured_agreements(factor, observed[0], 0)[0].max()


@pytest.mark.parametrize(
    ("data", "factor"), [(data, factor) for data, factors in ACCEPTED.items() for factor in factors]
)
def test_a_true_factor_has_an_accepted_name_or_none(data: str, factor: str, datasets: Callable[[str], Dataset]) -> None:
    dataset = datasets(data)
    name, most = named(dataset, dataset.factor_names.index(factor))
    if most < 0.5:
        assert name is None
        return
    assert name is not None
    measurement, place = name.words.split(" of the ")
    assert measurement in ACCEPTED[data][factor], name
    if factor in PLACES:
        assert place in PLACES[factor], name
