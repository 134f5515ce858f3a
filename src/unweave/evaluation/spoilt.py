"""A method spoilt on purpose: two factors turned into each other, a unit doubled, units of noise. Verdicts must notice.

It needs no labels and no training: what is done to the code behind the encoder is undone before the decoder, so every
picture is drawn as before.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.method import Generative, Player, Sampling, Start
from unweave.tensors import Images, Units

NOISE_FREQUENCY = 1_000.0  # of the sine that makes noise of an image: any change of a pixel moves it by whole periods


class SpoiltMethod(Generative):
    """The method behind `turn` (see `turning`), with one unit doubled and units of noise behind its own.

    The copy of the doubled unit comes first behind the `units` of the method; the decoder takes the mean of the two.
    The noise is a function of the image that no decoder reads. Nothing is trained: it has no players.
    """

    turn: Tensor
    back: Tensor

    def __init__(self, method: Generative, turn: Float[Tensor, "number number"], doubled: int, noise: int) -> None:
        super().__init__()
        self.method, self.doubled, self.noise = method, doubled, noise
        self.register_buffer("turn", turn.float())
        self.register_buffer("back", torch.linalg.inv(turn.double()).float())

    def players(self) -> list[Player]:
        return []

    def encode(self, images: Images) -> Units:
        units = self.method.encode(images)
        turned = (units.flatten(1) @ self.turn.to(units)).unflatten(1, units.shape[1:])
        return torch.cat([turned, turned[:, [self.doubled]], self._noise(images, units.shape[2])], 1)

    def start(self, count: int, rng: torch.Generator) -> Start:
        return self.method.start(count, rng)

    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        return self.method.invert(images, self._own(units), sampling)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.method.decode(self._own(units), start, sampling, rng)

    def _own(self, units: Units) -> Float[Tensor, "batch own dim"]:
        """The units of the method itself."""
        turned = units[:, : units.shape[1] - 1 - self.noise].clone()
        turned[:, self.doubled] = (turned[:, self.doubled] + units[:, turned.shape[1]]) / 2
        return (turned.flatten(1) @ self.back.to(turned)).unflatten(1, turned.shape[1:])

    def _noise(self, images: Images, dim: int) -> Units:
        rng = torch.Generator().manual_seed(0)
        weights = torch.randn(images[0].numel(), self.noise * dim, generator=rng).to(images)
        return (NOISE_FREQUENCY * images.flatten(1) @ weights).sin().unflatten(1, (self.noise, dim))


def turning(
    codes: Float[np.ndarray, "rows number"], first: Sequence[int], second: Sequence[int]
) -> Float[np.ndarray, "number number"]:
    """What codes are multiplied with to turn two sets of their numbers into each other by 45 degrees.

    The principal components of the one set, in units of their deviation, are turned with those of the other, the
    strongest with the strongest; where one set is larger, its last components stay.
    """
    spheres, bases = [], []
    for numbers in (first, second):
        covariance = np.atleast_2d(np.cov(codes[:, list(numbers)].T.astype(np.float64)))
        variance, axes = np.linalg.eigh(covariance)
        deviation = np.sqrt(variance[::-1].clip(1e-12 * variance.max()))
        spheres.append(axes[:, ::-1] / deviation)
        bases.append(axes[:, ::-1] * deviation)
    pairs, half = min(len(first), len(second)), math.sqrt(0.5)
    turn = np.eye(codes.shape[1])
    one, other = list(first), list(second)
    keep = np.diag(np.r_[np.full(pairs, half), np.ones(len(one) - pairs)])
    turn[np.ix_(one, one)] = spheres[0] @ keep @ bases[0].T
    keep = np.diag(np.r_[np.full(pairs, half), np.ones(len(other) - pairs)])
    turn[np.ix_(other, other)] = spheres[1] @ keep @ bases[1].T
    turn[np.ix_(one, other)] = half * spheres[0][:, :pairs] @ bases[1][:, :pairs].T
    turn[np.ix_(other, one)] = -half * spheres[1][:, :pairs] @ bases[0][:, :pairs].T
    return turn
