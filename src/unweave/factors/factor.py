"""A factor: units that change one thing together, and the curve on which their joint codes lie, where there is one."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

Verdict = Literal["one thing", "several things mixed", "leftover"]
"""Changes one thing in the pictures; changes several that vary apart; changes next to nothing."""

FAINT_BELOW = 0.02  # of the effect of the strongest factor; one below it changes next to nothing


@dataclass(frozen=True)
class Mode:
    """A state of a factor: a mode of its coordinate, as one of four lengths of hair."""

    position: float  # of the mode, in [0, 1]
    share: float  # of the rows, in [0, 1]


@dataclass(frozen=True)
class Coordinate:
    """A curve through the joint codes of a factor's units; a closed one has no ends, and position 1 is position 0."""

    closed: bool
    knots: Float[np.ndarray, "knot number"]  # in order along the curve; of a closed one the first follows the last
    levels: Float[np.ndarray, "percent"]  # positions of 0, 1, .. 100 % of the rows
    error: float  # the share of the variance of codes that were not fitted which is off the curve


@dataclass(frozen=True)
class Factor:
    """Units that belong together. The strongest factor of a run comes first, and is called `f1`."""

    units: tuple[int, ...]
    effect: float  # mean absolute change of pixels in [0, 1] where all its units come from another image
    coordinate: Coordinate | None = None  # None where the joint codes lie near no curve
    states: tuple[Mode, ...] = ()  # at least two, or none
    measured: str | None = None  # what was measured to follow it, in words
    agreement: float | None = None  # of that measurement with the coordinate, in [0, 1]
    verdict: Verdict | None = None
    name: str | None = None  # given by a person
    hidden: bool = False  # by a person

    def numbers(self, dim: int) -> list[int]:
        """Its columns of the codes, flattened, of units of `dim` numbers each."""
        return [unit * dim + place for unit in self.units for place in range(dim)]

    def joint_codes(self, codes: Float[np.ndarray, "rows unit dim"]) -> Float[np.ndarray, "rows number"]:
        """The numbers of its units beside each other."""
        return codes[:, list(self.units)].reshape(len(codes), -1)

    def named(self, name: str | None) -> "Factor":
        """The factor with a name of a person's, or without it."""
        return replace(self, name=name)
