"""Samplers and inversion: diffusers' schedulers driven by a denoiser that is a plain function.

A denoiser maps (x_t, t) to the network's prediction; conditioning is its own business.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers import (
    DDIMInverseScheduler,
    DDIMScheduler,
    DPMSolverMultistepInverseScheduler,
    DPMSolverMultistepScheduler,
)
from torch import Tensor

from unweave.diffusion.noising import STEPS, add_noise, noise_of
from unweave.method import Sampling
from unweave.shapes import Images

Denoiser = Callable[[Images, Tensor], Images]

SAMPLERS = ("ddim", "dpmsolver++")

# ddim: time-steps 1, 1 + T/n, ... as in the latent-diffusion code base; dpmsolver++: evenly down from T - 1.
# The inversion walks the same steps, so that both ends meet.
_STRIDE: dict[str, dict[str, Any]] = {
    "ddim": {"timestep_spacing": "leading", "steps_offset": 1},
    "dpmsolver++": {"timestep_spacing": "trailing"},
}

RELEASE = Sampling("ddim", 200, eta=1.0)
"""What the EncDiff and DisDiff releases sample with; edits use eta 0."""


def check(sampling: Sampling) -> None:
    """Raises ValueError where no sampler does what is asked."""
    if sampling.sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampling.sampler!r}.")
    if not 2 <= sampling.steps <= STEPS // 2:
        raise ValueError(f"sampling steps must be in 2..{STEPS // 2}, got {sampling.steps}.")
    if not 0 <= sampling.eta <= 1 or (sampling.eta > 0 and sampling.sampler != "ddim"):
        raise ValueError(f"eta must be in [0, 1], and 0 for every sampler but ddim; got {sampling.eta}.")


def sample(
    denoise: Denoiser,
    x_T: Images,
    noising: Mapping[str, Any],
    sampling: Sampling,
    rng: torch.Generator | None = None,
    first: int = 0,
    trailing: bool = False,
) -> Images:
    """Images from noise: DDIM (Eq. 12 of arXiv:2010.02502) or DPM-Solver++ (arXiv:2211.01095).

    `noising` is `noising.config(...)`; `rng` is used where eta > 0. Nothing is clipped. With `first` > 0 the network is
    never asked before that time: all steps lie in first .. 999, and the last one's x_0 is the image. `trailing` begins
    at 999 also with DDIM, which otherwise begins at 1000 - 1000 / steps + 1, as the latent-diffusion code base does.
    """
    check(sampling)
    stride = _STRIDE["dpmsolver++" if trailing else sampling.sampler]
    step: dict[str, Any] = {}
    scheduler: Any
    if sampling.sampler == "ddim":
        scheduler = DDIMScheduler(**noising, **stride, clip_sample=False, set_alpha_to_one=False)
        step = {"eta": sampling.eta, "generator": rng}
    else:
        scheduler = DPMSolverMultistepScheduler(**noising, **stride, algorithm_type="dpmsolver++")
    scheduler.set_timesteps(_steps(sampling, first), device=x_T.device)
    times = [t for t in scheduler.timesteps if t >= first]
    x = x_T
    for t in times[:-1]:
        x = scheduler.step(denoise(x, t), t, x, **step).prev_sample
    output = denoise(x, times[-1])
    if first == 0:
        return scheduler.step(output, times[-1], x, **step).prev_sample
    if sampling.sampler == "ddim":
        return scheduler.step(output, times[-1], x).pred_original_sample
    return scheduler.convert_model_output(output, sample=x)


def invert(
    denoise: Denoiser,
    images: Images,
    noising: Mapping[str, Any],
    sampling: Sampling,
    first: int = 0,
    trailing: bool = False,
) -> Images:
    """The x_T from which deterministic sampling comes back to the images: the sampler's equation solved towards noise.

    With the sampler's order (ddim 1, dpmsolver++ 2), its number of steps and its calls of the network. The network is
    asked at the time that x has, not at the time that it goes to: with a network that predicts x_0 the latter loses
    more of the image. With `first` > 0 the walk begins there, from the image as it is at that time without noise.
    `trailing` as in `sample`.
    """
    check(sampling)
    second = sampling.sampler == "dpmsolver++"
    return (_invert_twice if second else _invert_once)(
        denoise, images, noising, _steps(sampling, first), first, trailing
    )


def _invert_once(
    denoise: Denoiser, images: Images, noising: Mapping[str, Any], steps: int, first: int, trailing: bool
) -> Images:
    """DDIM towards noise."""
    stride = _STRIDE["dpmsolver++" if trailing else "ddim"]
    scheduler = DDIMInverseScheduler(**noising, **stride, clip_sample=False, set_alpha_to_one=False)
    scheduler.set_timesteps(steps, device=images.device)
    x = images
    for t in scheduler.timesteps:
        now = (t - STEPS // steps).clamp(min=0)  # the time that x has; the step takes it to t
        if now < first:
            x = scheduler.alphas_cumprod[int(t)].sqrt() * images
        else:
            x = scheduler.step(denoise(x, now), t, x).prev_sample
    return x


def _invert_twice(
    denoise: Denoiser, images: Images, noising: Mapping[str, Any], steps: int, first: int, trailing: bool
) -> Images:
    """Second-order multistep DPM-Solver++ towards noise, after one step of first order from the image itself."""
    scheduler = DPMSolverMultistepInverseScheduler(**noising, **_STRIDE["dpmsolver++"], algorithm_type="dpmsolver++")
    scheduler.set_timesteps(steps, device=images.device)
    times = [t for t in scheduler.timesteps if t >= first]
    at_0, abar = (scheduler.alphas_cumprod[int(t)].to(images).expand(len(images)) for t in (0, times[0]))
    if first > 0:
        x = add_noise(images, torch.zeros_like(images), abar)
    else:
        made = denoise(images, torch.zeros_like(times[0]))
        x = add_noise(images, noise_of(str(noising["prediction_type"]), made, images, at_0), abar)
    for t in times[:-1]:  # each step takes x from t to the next time
        x = scheduler.step(denoise(x, t), t, x).prev_sample
    return x


def _steps(sampling: Sampling, first: int) -> int:
    """Steps over 0 .. 999 of which about `sampling.steps` lie at or after `first`; at most every second time."""
    return sampling.steps if first == 0 else STEPS // max(2, (STEPS - first) // sampling.steps)
