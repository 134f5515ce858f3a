"""How well a frozen diffusion model guesses an image from its noised form, by time, beside the mean picture.

What a method learns on a frozen model is what that model lacks: a foundation that never saw a factor cannot give it.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave import progress
from unweave.models.diffusion.noising import STEPS, add_noise
from unweave.models.latents import Space
from unweave.tensors import Images

if TYPE_CHECKING:
    from unweave.models.foundation import FrozenDenoiser

KNOTS = tuple(round(t) for t in np.linspace(0, STEPS - 1, 26))
CLEAR = 0.05
"""abar at which an image still shows well through its noise."""
SHARE = 1e-3
"""Principal components with a smaller share of the variance are not looked at."""
COMPONENTS = 64
"""Those that are looked at, at most."""


class ErrorCurve(NamedTuple):
    """e_t, the mean square of x_0_hat(x_t) - x_0, per number of an image (or latent), where x_0_hat is one guess.

    `components`: the same of each principal component of the images, in units of its variance, at each time; 0 where
    nothing of it is lost, 1 where the guess says nothing of it.
    """

    times: tuple[int, ...]
    errors: tuple[float, ...]
    mean_picture: float  # the same of the mean picture as the guess: the variance
    components: tuple[tuple[float, ...], ...] = ()  # of each component, at each time

    def at_all_times(self) -> Float[Tensor, "time"]:
        """e_t at t = 0 .. 999, linear between the times that were measured."""
        return torch.from_numpy(np.interp(np.arange(STEPS), self.times, self.errors)).float()

    def blind_times(self, abar: Float[Tensor, "time"]) -> list[int]:
        """The measured times at which a better model would see more: where the guess is clearly worse than the mean
        picture, or, while the image still shows (abar at 0.05 and more), no better."""
        return [
            time
            for time, error in zip(self.times, self.errors)
            if error >= (0.98 if abar[time] >= CLEAR else 1.1) * self.mean_picture
        ]


@torch.no_grad()
def error_curve(
    denoiser: "FrozenDenoiser",
    space: Space,
    images: Images,
    rng: torch.Generator,
    times: tuple[int, ...] = KNOTS,
    batch: int = 64,
) -> ErrorCurve:
    """e_t at some times, over these images, each noised once a time; in the space that the diffusion works in."""
    x0 = torch.cat([space.encode(chunk) for chunk in images.split(batch)])
    directions, variances = principal_components(x0)
    abar, errors, components = denoiser.process.abar, [], []
    with progress.task("measuring the frozen model", len(times), "times") as task:
        for index, time in enumerate(times):
            squares, along = 0.0, torch.zeros_like(variances)
            for clean in x0.split(batch):
                t = torch.full((len(clean),), time, device=clean.device)
                eps = torch.randn(clean.shape, generator=rng, device=rng.device).to(clean.device)
                guess = denoiser.clean(add_noise(clean, eps, abar[t]), t)
                squares += (guess - clean).square().sum().item()
                along += ((guess - clean).flatten(1) @ directions).square().sum(0)
            errors.append(squares / x0.numel())
            components.append((along / len(x0) / variances).tolist())
            task.update(index + 1)
    return ErrorCurve(
        tuple(times), tuple(errors), x0.var(0, unbiased=len(x0) > 1).mean().item(), tuple(zip(*components))
    )


def principal_components(x0: Images) -> tuple[Float[Tensor, "number component"], Float[Tensor, "component"]]:
    """The directions of most variance, and the variances along them: at most 64, with a thousandth of it or more."""
    flat = x0.flatten(1).float()
    _, singular, directions = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    variances = singular.square() / len(x0)
    kept = (variances > SHARE * variances.sum().clamp(min=1e-12)).nonzero().flatten()[:COMPONENTS]
    return directions[kept].T, variances[kept]
