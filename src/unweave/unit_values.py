"""How units (or groups of them) are spread over images: one number each, its quantiles, and the codes at those."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.choosing import Choice
from unweave.evaluation import reduce


class UnitValues(NamedTuple):
    """The number of every choice (unit or group) on some rows: of a vector, its first principal component."""

    choices: Sequence[Choice]
    dim: int
    reduction: reduce.Reduction
    values: Float[np.ndarray, "rows choice"]

    def points(self, place: int, shares: Sequence[float]) -> Float[Tensor, "step unit dim"]:
        """The codes of the units of a choice at these quantiles, each in [0, 1]."""
        units = len(self.choices[place].units)
        levels = np.quantile(self.values[:, place], shares)
        flat = self.reduction.mean[place] + levels[:, None] * self.reduction.direction[place]
        return torch.from_numpy(flat[:, : units * self.dim].reshape(-1, units, self.dim)).float()


def measure(codes: Float[np.ndarray, "rows unit dim"], choices: Sequence[Choice]) -> UnitValues:
    """The values of these choices over rows that are encoded."""
    packed = pack(codes, choices)
    reduction = reduce.fit(packed)
    return UnitValues(choices, codes.shape[2], reduction, reduce.apply(reduction, packed))


def pack(codes: Float[np.ndarray, "rows unit dim"], choices: Sequence[Choice]) -> Float[np.ndarray, "rows choice long"]:
    """The units [rows, choice, dim]; groups are vectors of what is in them, filled up with zeros to one length."""
    longest = max(len(choice.units) for choice in choices) * codes.shape[2]
    groups = [codes[:, choice.units].reshape(len(codes), -1) for choice in choices]
    return np.stack([np.pad(group, ((0, 0), (0, longest - group.shape[1]))) for group in groups], 1)
