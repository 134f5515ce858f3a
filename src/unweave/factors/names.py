"""A factor's name: what is measured in pictures that goes with it, and changes where it is edited."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave.factors.agreement import (
    QUANTILE,
    SHUFFLES,
    bins_of,
    rank_agreement,
    ranks_of,
    state_agreement,
    states_of,
)
from unweave.factors.factor import Factor
from unweave.factors.measurements import MEASUREMENTS, Measurement, Region

FORM_FIRST = 0.05  # of agreement, by which a measurement of an object's form is ahead of one of all pixels
NAMED_FROM = 0.5  # agreement; below it a measurement is no name
ACTS_FROM = 0.5  # of the largest mean change by an edit; pixels with as much are where a factor acts
LOCAL_BELOW = 0.5  # of the pixels; a factor that acts on more acts on the whole picture
NO_NAME = "no measured name"
PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)


@dataclass(frozen=True)
class Observed:
    """Pictures in which a factor has known positions, and what is measured in them."""

    positions: Float[np.ndarray, "rows"]
    whole: Float[np.ndarray, "rows measurement"]
    inside: Float[np.ndarray, "rows measurement"] | None  # where the factor acts; None where that is everywhere

    @property
    def columns(self) -> Float[np.ndarray, "rows column"]:
        """All of MEASUREMENTS in the whole picture, then all of them where the factor acts."""
        return self.whole if self.inside is None else np.concatenate([self.whole, self.inside], axis=1)


class MeasuredName(NamedTuple):
    """A measurement that follows a factor."""

    words: str
    agreement: float  # in [0, 1]


def measured_name(
    factor: Factor, real: Observed, edited: Observed | None, place: str | None, seed: int = 0
) -> MeasuredName | None:
    """The measurement that agrees most with the factor's coordinate in real pictures, of those whose agreement is 0.5
    or more and that change where the factor is edited; None where there is none, no coordinate or no edit. Form goes
    before light where both agree nearly as well: a larger object on a dark ground makes a brighter picture.

    Agreement is of ranks (`rank_agreement`) or, where the factor has states, the adjusted mutual information of states
    and measurement, if larger. In real pictures, and again in pictures whose factor was set to `positions` that depend
    on nothing, it must be above the 99 % quantile of the largest agreement that any measurement has with shuffled
    positions. `place` says where in the picture `inside` is measured.
    """
    if factor.coordinate is None or edited is None:
        return None
    found, chance = measured_agreements(factor, real, seed)
    changed, chance_of_edits = measured_agreements(factor, edited, seed)
    passed = (found >= max(NAMED_FROM, chance)) & (changed > chance_of_edits)
    if not passed.any():
        return None
    forms = np.resize([measurement.of_object for measurement in MEASUREMENTS], len(found))
    best = int(np.where(passed, found + FORM_FIRST * forms, -1).argmax())
    inside, number = divmod(best, len(MEASUREMENTS))
    return MeasuredName(_words(MEASUREMENTS[number], place if inside else None), float(found[best]))


def measured_agreements(factor: Factor, observed: Observed, seed: int) -> tuple[Float[np.ndarray, "column"], float]:
    """The agreement of every measurement, and the 99 % quantile of the largest with shuffled positions."""
    closed = factor.coordinate is not None and factor.coordinate.closed
    positions, rng = ranks_of(observed.positions, closed), np.random.default_rng(seed)
    orders = np.array([rng.permutation(len(observed.positions)) for _ in range(SHUFFLES)])
    orders = np.concatenate([np.arange(len(observed.positions))[None], orders])  # the first is as it was
    table = np.zeros((len(orders), observed.columns.shape[1]))
    for column, values in enumerate(observed.columns.T):
        if np.isfinite(values).mean() < 0.5:
            continue
        ranks = ranks_of(values, MEASUREMENTS[column % len(MEASUREMENTS)].period is not None)
        table[:, column] = [rank_agreement(positions.shuffled(order), ranks) for order in orders]
        if factor.states:
            states = states_of(observed.positions, factor.states, closed)
            told = state_agreement(states, bins_of(values), orders)
            table[:, column] = np.maximum(table[:, column], told)
    return table[0], float(np.quantile(table[1:].max(1), QUANTILE))


def region_of(change: Float[np.ndarray, "height width"]) -> Region:
    """Where a factor acts, by the mean change of pixels that an edit of it makes: half of the largest, or more."""
    return change >= ACTS_FROM * change.max()


def place_of(region: Region) -> str | None:
    """The region in words, by thirds of the picture; None where it is more than half of the picture."""
    if region.mean() > LOCAL_BELOW or not region.any():
        return None
    y, x = (int(3 * (axis.mean() + 0.5) / side) for axis, side in zip(np.nonzero(region), region.shape))
    return PLACES[y][x]


def follows_words(factor: Factor) -> str:
    """What is said to follow the factor, for a person: "follows: hue of the upper left (0.97)"."""
    return NO_NAME if factor.measured is None else f"follows: {factor.measured} ({factor.agreement:.2f})"


def measured_in_whole(words: str | None) -> int | None:
    """Which of MEASUREMENTS a measured name is of, where it is of whole pictures and not circular; else None."""
    names = [_words(measurement, None) if measurement.period is None else None for measurement in MEASUREMENTS]
    return names.index(words) if words is not None and words in names else None


def _words(measurement: Measurement, place: str | None) -> str:
    if place is None:
        return f"{measurement.name} of the {'object' if measurement.of_object else 'picture'}"
    return f"{measurement.name} of the {'object in the ' if measurement.of_object else ''}{place}"
