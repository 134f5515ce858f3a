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
    measured: Sequence[str | None]  # the measured name of each

    def medians(self, index: int, codes: UnitCodes, in_b: InB) -> Float[Tensor, "2 moved dim"]:
        """The codes of one of them at A's median and at B's: on its curve where it has one, else number by number."""
        units, coordinate = self.groups[index].units, self.coordinates[index]
        middle = np.stack([np.median(codes[group][:, units], axis=0) for group in (~in_b, in_b)])
        if coordinate is not None:
            numbers = codes[:, units].reshape(len(codes), -1)
            if coordinate.closed:
                places = position_of(coordinate, middle.reshape(2, -1))
            else:
                places = np.array([np.median(position_of(coordinate, numbers[group])) for group in (~in_b, in_b)])
            middle = codes_at(coordinate, places).reshape(middle.shape)
        return torch.from_numpy(middle).float()


def compared_in(run: Run, method: Method, codes: UnitCodes, *, single_units: bool = False) -> Compared:
    """The factors of factors.json that are shown, where they are of these weights; else, or where
    `single_units` are asked for, the units that vary most.

    A factor's number is its position on its open curve; of a closed one, which has no first place, without a curve, and
    of units it is the first principal component.
    """
    found = None if single_units else read_factors(run)
    if found is None or not are_current(run, found):
        groups, _ = select_units(method, codes, unit_names(run))
        values = measure_values(codes, groups).values.astype(np.float64)
        return Compared("units", groups, values, [None] * len(groups), [None] * len(groups))
    shown = found.shown()
    factors = [found.factors[index] for index in shown]
    groups = [
        UnitGroup(factor_title(found.word(index), factor), list(factor.units), found.word(index))
        for index, factor in zip(shown, factors)
    ]
    values = measure_values(codes, groups).values.astype(np.float64)
    for column, factor in enumerate(factors):
        if factor.coordinate is not None and not factor.coordinate.closed:
            values[:, column] = position_of(factor.coordinate, factor.joint_codes(codes))
    coordinates, measured = [each.coordinate for each in factors], [each.measured for each in factors]
    return Compared("factors", groups, values, coordinates, measured)
