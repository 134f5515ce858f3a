"""When noise destroys an attribute: the probability that a one-step reconstruction is taken for another image.

The theory of DiTi (arXiv:2401.11430 [through summaries]): an attribute is lost at time t to the degree that a
diffusion model's reconstruction of the noised image is closer to an image that differs in that attribute alone.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.models.diffusion.process import add_noise
from unweave.tensors import Images, Times

Rebuild = Callable[[Images, Times], Images]
"""Noised images (or latents) and their times -> images, the model's one-step guess of what they were."""


def attribute_loss(
    rebuild: Rebuild,
    first: Images,
    second: Float[Tensor, "..."],
    abar: Float[Tensor, "time"],
    times: Sequence[int],
    rng: torch.Generator,
    encode: Callable[[Images], Float[Tensor, "..."]] = lambda images: images,
    tick: Callable[[], None] = lambda: None,
    batch: int = 64,
) -> list[float]:
    """The loss at each time, from pairs of images that differ in one attribute; in [0, 1], 1/2 is all lost.

    Half the sum of P(x0_hat(x_t) is closer to the second image than to the first), x_t being a noised first image, and
    the same with the two exchanged; closer by the l2 distance of pixels. `encode` takes images to where the diffusion
    works. `tick` is called before each time. At most `batch` images are rebuilt at a time. Raises ValueError for pairs
    of several shapes or times outside 0 .. 999.
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(f"pairs must be of one shape, got {tuple(first.shape)} and {tuple(second.shape)}.")
    if not all(0 <= time < len(abar) for time in times):
        raise ValueError(f"times must be in 0..{len(abar) - 1}, got {list(times)}.")
    own, other = torch.cat([first, second]), torch.cat([second, first])
    latents = torch.cat([encode(chunk) for chunk in own.split(batch)])
    losses = []
    for time in times:
        tick()
        taken = 0
        for z, right, wrong in zip(latents.split(batch), own.split(batch), other.split(batch)):
            t = torch.full((len(z),), time, device=z.device)
            eps = torch.randn(z.shape, generator=rng, device=rng.device).to(z.device)
            guess = rebuild(add_noise(z, eps, abar[t]), t)
            to_right, to_wrong = ((guess - image).square().sum((1, 2, 3)) for image in (right, wrong))
            taken += int((to_wrong < to_right).sum())
        losses.append(taken / len(own))
    return losses


def gaussian_loss(distance: Tensor, abar: Tensor) -> Tensor:
    """The loss without a model, where x_t / sqrt(abar) is itself the guess.

    1/2 erfc(sqrt(abar) d / (2 sqrt(2 (1 - abar)))), d the l2 `distance` of the two images (of pixels in [-1, 1]).
    """
    return 0.5 * torch.erfc(abar.sqrt() * distance / (2 * (2 * (1 - abar)).sqrt()))
