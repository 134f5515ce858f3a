"""At which time noise destroys an attribute: how often a guess of a noised image is closer to one that lacks it.

Yue et al., arXiv:2401.11430.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from unweave import progress
from unweave.models.diffusion.noising import add_noise
from unweave.tensors import Images, Times

Rebuild = Callable[[Images, Times], Images]
"""Noised images (or latents) and their times -> images, the model's one-step guess of what they were."""


class FactorLosses(NamedTuple):
    """The loss of every factor at every time, in [0, 1]; 1/2 is all lost."""

    times: tuple[int, ...]
    of_factors: Mapping[str, Sequence[float]]


def attribute_loss(
    rebuild: Rebuild,
    first: Images,
    second: Float[Tensor, "..."],
    abar: Float[Tensor, "time"],
    times: Sequence[int],
    rng: torch.Generator,
    encode: Callable[[Images], Float[Tensor, "..."]] = lambda images: images,
    batch: int = 64,
) -> list[float]:
    """The loss at each time, from pairs of images that differ in one attribute; in [0, 1], 1/2 is all lost.

    Half the sum of P(x0_hat(x_t) is closer to the second image than to the first), x_t being a noised first image, and
    the same with the two exchanged; closer by the l2 distance of pixels. `encode` takes images to where the diffusion
    works. At most `batch` images are rebuilt at a time. Raises ValueError for pairs of several shapes or times outside
    0 .. 999.
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(f"pairs must be of one shape, got {tuple(first.shape)} and {tuple(second.shape)}.")
    if not all(0 <= time < len(abar) for time in times):
        raise ValueError(f"times must be in 0..{len(abar) - 1}, got {list(times)}.")
    own, other = torch.cat([first, second]), torch.cat([second, first])
    latents = torch.cat([encode(chunk) for chunk in own.split(batch)])
    losses = []
    with progress.task("rebuilding noised images", len(times), "times") as task:
        for index, time in enumerate(times):
            task.update(index)
            mistaken = 0
            for z, right, wrong in zip(latents.split(batch), own.split(batch), other.split(batch)):
                t = torch.full((len(z),), time, device=z.device)
                eps = torch.randn(z.shape, generator=rng, device=rng.device).to(z.device)
                guess = rebuild(add_noise(z, eps, abar[t]), t)
                to_right, to_wrong = ((guess - image).square().sum((1, 2, 3)) for image in (right, wrong))
                mistaken += int((to_wrong < to_right).sum())
            losses.append(mistaken / len(own))
    return losses


def half_lost(times: Sequence[int], loss: Sequence[float]) -> float | None:
    """The time at which the loss first reaches a quarter, half of what is lost in the end; None if it does not."""
    return first_time(times, loss, 0.25)


def first_time(times: Sequence[int], values: Sequence[float], level: float) -> float | None:
    """The time at which values first reach a level, linear between those measured; None if they do not."""
    if values[0] >= level:
        return float(times[0])
    for (before, low), (after, high) in zip(zip(times, values), zip(times[1:], values[1:])):
        if low < level <= high:
            return before + (level - low) / (high - low) * (after - before)
    return None
