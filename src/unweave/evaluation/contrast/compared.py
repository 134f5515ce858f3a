"""What two groups are compared in: the factors of a run where they were found, else its units, each as one number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.evaluation.metrics.two_groups import InB
from unweave.evaluation.report.measure_units import select_units
from unweave.factors.coordinate import codes_at, position_of
from unweave.factors.evidence import UnitCodes
from unweave.factors.factor import Coordinate
from unweave.method import Method
from unweave.runs.factors import are_current, factor_title, read_factors
from unweave.runs.run import Run
from unweave.runs.unit_ranges import measure_values
from unweave.runs.units import UnitGroup, unit_names
from unweave.types import UnitTable


@dataclass(frozen=True)
class Compared:
    """Factors or units, and where each image is along them."""

    kind: Literal["factors", "units"]
    groups: Sequence[UnitGroup]
    values: UnitTable
    coordinates: Sequence[Coordinate | None]

    def medians(self, index: int, codes: UnitCodes, in_b: InB) -> Float[Tensor, "2 moved dim"]:
        """The codes of one of them at A's median and at B's: on its curve where it has one, else number by number."""
        units, coordinate = self.groups[index].units, self.coordinates[index]
        if coordinate is None:
            found = [np.median(codes[group][:, units], axis=0) for group in (~in_b, in_b)]
            return torch.from_numpy(np.stack(found)).float()
        positions = _unrolled(coordinate, codes[:, units].reshape(len(codes), -1))
        middle = np.array([np.median(positions[group]) for group in (~in_b, in_b)])
        start = _start(coordinate, codes[:, units].reshape(len(codes), -1)) if coordinate.closed else 0.0
        points = codes_at(coordinate, (middle + start) % 1 if coordinate.closed else middle)
        return torch.from_numpy(points.reshape(2, len(units), codes.shape[2])).float()


def compared_in(run: Run, method: Method, codes: UnitCodes) -> Compared:
    """The factors of factors.json that are shown, where they are of these weights; else the units that vary most.

    A factor's number is its position on its curve, of a closed one from -0.5 to 0.5 around the mean of all images;
    without a curve, and of units, it is the first principal component.
    """
    found = read_factors(run)
    if found is None or not are_current(run, found):
        groups, _ = select_units(method, codes, unit_names(run))
        return Compared("units", groups, measure_values(codes, groups).values.astype(np.float64), [None] * len(groups))
    shown = found.shown()
    factors = [found.factors[index] for index in shown]
    groups = [
        UnitGroup(factor_title(found.word(index), factor), list(factor.units), found.word(index))
        for index, factor in zip(shown, factors)
    ]
    values = measure_values(codes, groups).values.astype(np.float64)
    for column, factor in enumerate(factors):
        if factor.coordinate is not None:
            values[:, column] = _unrolled(factor.coordinate, codes[:, list(factor.units)].reshape(len(codes), -1))
    return Compared("factors", groups, values, [factor.coordinate for factor in factors])


def _start(coordinate: Coordinate, codes: Float[np.ndarray, "rows number"]) -> float:
    """The mean direction of all images on a closed curve, in [0, 1)."""
    turns = np.exp(2j * np.pi * position_of(coordinate, codes))
    return float(np.angle(turns.mean()) / (2 * np.pi) % 1)


def _unrolled(coordinate: Coordinate, codes: Float[np.ndarray, "rows number"]) -> Float[np.ndarray, "rows"]:
    """Positions; on a closed curve around the mean of all images, which is 0."""
    positions = position_of(coordinate, codes).astype(np.float64)
    if not coordinate.closed:
        return positions
    return (positions - _start(coordinate, codes) + 0.5) % 1 - 0.5
