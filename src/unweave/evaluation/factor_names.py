"""The measured name of every factor of a run, from real pictures and from swaps of the whole factor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave.data.dataset import Dataset
from unweave.evaluation.swap_pictures import SwapPictures
from unweave.factors.coordinate import position_of
from unweave.factors.factor import Factor
from unweave.factors.measurements import measure_pictures
from unweave.factors.names import Observed, measured_name, place_of, region_of
from unweave.figures.pixels import rgb_pixels
from unweave.progress import Task
from unweave.types import Rows

NAMED_ROWS = 200  # real pictures that are measured


@dataclass(frozen=True)
class EncodedRows:
    """Rows of a data set, rising, and their codes."""

    dataset: Dataset
    rows: Rows
    codes: Float[np.ndarray, "rows unit dim"]

    def positions(self, factor: Factor) -> Float[np.ndarray, "rows"]:
        """Where each row is on the factor's coordinate. Raises ValueError for a factor without one."""
        if factor.coordinate is None:
            raise ValueError("the factor has no coordinate, so a row has no position on it.")
        return position_of(factor.coordinate, factor.joint_codes(self.codes))


class LocatedFactor(NamedTuple):
    """A factor with the name that was measured, and where it acts."""

    factor: Factor
    change: (
        Float[np.ndarray, "height width"] | None
    )  # by swaps, mean absolute, pixels in [0, 1]; None without a decoder
    place: str | None  # in words; None where that is most of the picture, or unknown


def name_factors(
    factors: Sequence[Factor], encoded: EncodedRows, swaps: SwapPictures, task: Task, seed: int = 0
) -> list[LocatedFactor]:
    """The factors with what is measured to follow them (see `factors.names.measured_name`), and where each acts.

    200 of the rows are measured as they are shown, and the pictures of all swaps; rows of `swaps` must be among the
    encoded. The task counts images that are drawn.
    """
    unedited, drawn, changes = swaps.unedited.astype(np.float64), 0, []
    for number, factor in enumerate(factors, 1):
        drawn += swaps.drawing(factor.units)
        changes.append(np.abs(swaps.pixels(factor.units) - unedited).mean((0, 3)) / 255)
        task.update(drawn, f"swapping f{number}")
    regions = np.stack([np.ones(unedited.shape[1:3], bool), *map(region_of, changes)])
    chosen = np.sort(np.random.default_rng(seed).permutation(len(encoded.rows))[:NAMED_ROWS])
    real = measure_pictures(rgb_pixels(encoded.dataset.images(encoded.rows[chosen])), regions)
    partners = np.searchsorted(encoded.rows, swaps.second)
    located = []
    for number, (factor, change) in enumerate(zip(factors, changes), 1):
        task.update(drawn, f"measuring f{number}")
        place, found = place_of(regions[number]), None
        if factor.coordinate is not None:
            positions = encoded.positions(factor)
            inside = measure_pictures(rgb_pixels(swaps.pixels(factor.units)), regions[[0, number]])
            observed = Observed(positions[chosen], real[0], real[number])
            edited = Observed(positions[partners], *inside)
            found = measured_name(factor, observed, edited, place, seed)
        words, agreement = (None, None) if found is None else found
        factor = replace(factor, measured=words, agreement=agreement)
        located.append(LocatedFactor(factor, change, place))
    return located
