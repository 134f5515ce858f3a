"""Names of the true factors, with the true values as positions and the true pictures as edits."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.conftest import shared

import unweave
from unweave.data.dataset import Dataset
from unweave.data.sampling import complete_grid
from unweave.factors.factor import Coordinate, Factor, Mode
from unweave.factors.measurements import MEASUREMENTS, measure_pictures
from unweave.factors.names import (
    MeasuredName,
    Observed,
    follows_words,
    measured_agreements,
    measured_name,
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
    complete = complete_grid(dataset)
    grid = complete.grid
    factor = true_factor(grid.names[column], grid.sizes[column])

    def pictures(factors: FactorTable) -> Pixels:
        return dataset.images(complete.rows(grid.index(factors)))

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
    name = measured_name(factor, *observed, place_of(region))
    return name, measured_agreements(factor, observed[0], 0)[0].max()


@pytest.mark.long
@pytest.mark.parametrize(("data", "factor"), [(data, factor) for data in ACCEPTED for factor in ACCEPTED[data]])
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


FACTOR = Factor((0,), 1.0, Coordinate(False, np.array([[0.0], [1.0]]), np.linspace(0, 1, 101), 0.0))


def observed(positions: np.ndarray, follows: str, noise: float = 0.1) -> Observed:
    """Measurements of chance, but for one that follows the positions."""
    rng = np.random.default_rng(int(1000 * noise))
    table = rng.random((len(positions), len(MEASUREMENTS)))
    number = [measurement.name for measurement in MEASUREMENTS].index(follows)
    table[:, number] = positions + noise * rng.normal(size=len(positions))
    return Observed(positions, table, None)


POSITIONS = np.random.default_rng(5).random(400)


def test_a_name_needs_the_pictures_and_the_edits() -> None:
    real, same, others = (observed(POSITIONS, follows) for follows in ("area", "area", "brightness"))
    name = measured_name(FACTOR, real, same, None)
    assert name is not None
    assert name.words == "area of the object"
    assert name.agreement > 0.9
    assert measured_name(FACTOR, real, others, None) is None  # it goes with the factor, and its edits leave it
    assert measured_name(FACTOR, others, same, None) is None
    assert measured_name(FACTOR, real, None, None) is None


def test_a_weak_agreement_is_no_name_though_it_is_no_chance() -> None:
    real = observed(POSITIONS, "area", noise=0.6)
    found, chance = measured_agreements(FACTOR, real, 0)
    assert chance < found.max() < 0.5
    assert measured_name(FACTOR, real, real, None) is None


def test_few_pictures_name_nothing_by_chance() -> None:
    for seed in range(5):
        positions = np.random.default_rng(seed).random(16)
        found, chance = measured_agreements(FACTOR, observed(positions, "area", noise=50 + seed), seed)
        assert chance > 0.6
        assert found.max() < chance


def test_a_factor_without_a_coordinate_has_no_measured_name() -> None:
    real = observed(POSITIONS, "area")
    assert measured_name(replace(FACTOR, coordinate=None), real, real, None) is None


def test_a_region_is_where_the_change_is_and_has_a_word() -> None:
    change = np.full((30, 30), 0.01)
    change[2:8, 3:9] = 0.3
    assert place_of(region_of(change)) == "upper left"
    change[20:28, 12:18] = 0.5
    assert place_of(region_of(change.T)) == "centre"
    assert place_of(region_of(np.ones((30, 30)))) is None


def test_the_words_are_for_a_person() -> None:
    assert follows_words(replace(FACTOR, measured="hue of the upper left", agreement=0.971)) == (
        "follows: hue of the upper left (0.97)"
    )
    assert follows_words(FACTOR) == "no measured name"


def test_form_goes_before_light_where_both_follow() -> None:
    """A disc on a dark ground: a larger one makes a brighter picture, here with less noise than its area has."""
    rng, side = np.random.default_rng(0), np.arange(32) - 15.5
    radii = np.linspace(4, 12, 80)
    discs = np.clip(radii[:, None, None] - np.hypot(side, side[:, None]) + 0.5, 0, 1)
    pictures = np.uint8(255 * discs)[..., None].repeat(3, 3)
    whole = measure_pictures(pictures, np.ones((1, 32, 32), bool))[0]
    area = [measurement.name for measurement in MEASUREMENTS].index("area")
    whole[:, area] += 0.003 * rng.normal(size=len(whole))
    observed = Observed(radii, whole, None)
    factor = Factor((0,), 1.0, Coordinate(False, np.array([[4.0], [12.0]]), np.array([0.0, 1.0]), 0.0))
    agreements, _ = measured_agreements(factor, observed, 0)
    assert MEASUREMENTS[int(agreements.argmax())].name == "brightness"
    name = measured_name(factor, observed, observed, None)
    assert name is not None
    assert name.words == "area of the object"
