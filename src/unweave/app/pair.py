"""Two pictures: what differs between them, factor by factor, and the way from one to the other by what matters."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from unweave.app.explorer import Explorer, Partner, PickedImage, Picture


class FactorDifference(NamedTuple):
    """A factor or unit of both pictures."""

    slider: int  # of the factor or unit
    here: float  # where the picture in hand is on its slider, in [0, 1]
    there: float  # where the other one is
    change: float  # mean absolute change of pixels in [0, 1] where it comes from the other one
    picture: Picture  # with this factor from the other one


def compared(explorer: Explorer) -> range:
    """What two pictures are compared in: the factors, or the units where there are none."""
    return range(explorer.factor_count or len(explorer.units))


def differences(explorer: Explorer, picked: PickedImage, partner: Partner) -> Iterator[FactorDifference]:
    """What differs, each as it is drawn."""
    there = explorer.positions_of(partner.image)
    base = explorer.pixels(picked.reconstruction)[0].astype(np.float64)
    for index, edited in explorer.swap(picked, partner, list(compared(explorer))):
        change = float(np.abs(edited[0].astype(np.float64) - base).mean() / 255)
        yield FactorDifference(index, picked.positions[index], there[index], change, edited[0])


def by_what_matters(drawn: Sequence[FactorDifference]) -> list[FactorDifference]:
    """The largest change first."""
    return sorted(drawn, key=lambda difference: -difference.change)


def way(explorer: Explorer, picked: PickedImage, partner: Partner, order: Sequence[int]) -> Iterator[Picture]:
    """The pictures on the way to the other one: one factor after the other goes along and stays."""
    units: list[int] = []
    for index in order:
        units += [unit for unit in explorer.units[index].units if unit not in units]
        yield explorer.swap_all(picked, partner, units)[0]
