"""Samplers and inversion: diffusers' schedulers driven by a plain function that predicts."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.method import Sampling
from unweave.models.diffusion.noising import STEPS, add_noise, alphas_bar, clean_of, noise_of
from unweave.tensors import Images

Predict = Callable[[Images, Tensor], Images]
"""(x_t, t) -> what the network predicts; conditioning is its own business."""

SAMPLERS = ("ddim", "dpmsolver++")

# ddim: time-steps 1, 1 + T/n, ... as in the latent-diffusion code base; dpmsolver++: evenly down from T - 1.
# The inversion walks the same steps, so that both ends meet.
_STRIDE: dict[str, dict[str, Any]] = {
    "ddim": {"timestep_spacing": "leading", "steps_offset": 1},
    "dpmsolver++": {"timestep_spacing": "trailing"},
}

FIRST_ORDER_BELOW = 15
"""Steps below which diffusers' DPM-Solver++ ends with a step of first order."""


def check_sampling(sampling: Sampling) -> None:
    """Raises ValueError where no sampler does what is asked."""
    if sampling.sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampling.sampler!r}.")
    for name, steps in (("sampling", sampling.steps), ("inversion", sampling.inversion)):
        if steps is not None and not 2 <= steps <= STEPS // 2:
            raise ValueError(f"{name} steps must be in 2..{STEPS // 2}, got {steps}.")
    if not 0 <= sampling.eta <= 1 or (sampling.eta > 0 and sampling.sampler != "ddim"):
        raise ValueError(f"eta must be in [0, 1], and 0 for every sampler but ddim; got {sampling.eta}.")


def sample(
    predict: Predict,
    x_T: Images,
    config: Mapping[str, Any],
    sampling: Sampling,
    rng: torch.Generator | None = None,
    first: int = 0,
    trailing: bool = False,
) -> Images:
    """Images from noise: DDIM (Eq. 12 of arXiv:2010.02502) or DPM-Solver++ (arXiv:2211.01095).

    `config` is what diffusers' schedulers are built with; `rng` is used where eta > 0. Nothing is clipped. With `first`
    > 0 the network is never asked before that time: all steps lie in first .. 999, and the last one's x_0 is the image.
    `trailing` begins at 999 also with DDIM, which otherwise begins at 1000 - 1000 / steps + 1, as the latent-diffusion
    code base does. The releases of EncDiff and DisDiff sample with 200 steps of DDIM and eta 1.
    """
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    check_sampling(sampling)
    stride = _STRIDE["dpmsolver++" if trailing else sampling.sampler]
    step: dict[str, Any] = {}
    scheduler: Any
    if sampling.sampler == "ddim":
        scheduler = DDIMScheduler(**config, **stride, clip_sample=False, set_alpha_to_one=False)
        step = {"eta": sampling.eta, "generator": rng}
    else:
        scheduler = DPMSolverMultistepScheduler(**config, **stride, algorithm_type="dpmsolver++")
    scheduler.set_timesteps(_steps(sampling, first), device=x_T.device)
    times = [t for t in scheduler.timesteps if t >= first]
    x = x_T
    for t in times[:-1]:
        x = scheduler.step(predict(x, t), t, x, **step).prev_sample
    output = predict(x, times[-1])
    if first == 0:
        return scheduler.step(output, times[-1], x, **step).prev_sample
    if sampling.sampler == "ddim":
        return scheduler.step(output, times[-1], x).pred_original_sample
    return scheduler.convert_model_output(output, sample=x)


def invert(
    predict: Predict,
    images: Images,
    config: Mapping[str, Any],
    sampling: Sampling,
    first: int = 0,
    trailing: bool = False,
) -> Images:
    """The x_T from which deterministic sampling comes back to the images: the sampler's equation solved towards noise.

    With the sampler's order (ddim 1, dpmsolver++ 2) and over the sampler's times. The network is asked at the time that
    x has, not at the time that it goes to: with a network that predicts x_0 the latter loses more of the image. With
    `first` > 0 the walk begins there, from the image as it is at that time without noise, and asks the network once
    less. `trailing` as in `sample`. `sampling.inversion` asks for other steps than the sampler's; the walk ends where
    the sampler begins all the same.
    """
    from diffusers import DDIMScheduler

    check_sampling(sampling)
    second = sampling.sampler == "dpmsolver++"
    scheduler: Any = DDIMScheduler(**config, **_STRIDE["dpmsolver++" if trailing or second else "ddim"])
    scheduler.set_timesteps(_steps(sampling, first))
    end = int(scheduler.timesteps[0])
    sampling = sampling._replace(steps=sampling.inversion or sampling.steps)
    scheduler.set_timesteps(_steps(sampling, first))
    times = [*(int(t) for t in reversed(scheduler.timesteps) if first <= t < end), end]
    abar = scheduler.alphas_cumprod.to(images)
    x = abar[times[0]].sqrt() * images if first > 0 else _ddim_step(predict, images, config, abar, 0, times[0])
    if second:
        return _second_order(predict, x, config, _steps(sampling, first), times)
    for now, later in pairwise(times):
        x = _ddim_step(predict, x, config, abar, now, later)
    return x


def walk(predict: Predict, x: Images, config: Mapping[str, Any], times: Sequence[int]) -> Images:
    """x_t carried by DDIM without noise from the first of these times to the last, towards noise or away from it."""
    abar = alphas_bar(config).to(x)
    for now, then in pairwise(times):
        x = _ddim_step(predict, x, config, abar, now, then)
    return x


def _ddim_step(
    predict: Predict, x: Images, config: Mapping[str, Any], abar: Float[Tensor, "time"], now: int, then: int
) -> Images:
    """A step of DDIM, of first order, from one time to another (Eq. 12 of arXiv:2010.02502 with eta 0)."""
    before, after = (abar[t].expand(len(x)) for t in (now, then))
    output = predict(x, torch.tensor(now, device=x.device))
    eps = noise_of(str(config["prediction_type"]), output, x, before)
    return add_noise(clean_of(eps, x, before), eps, after)


def _second_order(predict: Predict, x: Images, config: Mapping[str, Any], steps: int, times: Sequence[int]) -> Images:
    """Multistep DPM-Solver++ from the first of these times to the last one; where steps are few, it ends with one of
    first order, as the sampler does."""
    from diffusers import DPMSolverMultistepInverseScheduler

    scheduler = DPMSolverMultistepInverseScheduler(**config, **_STRIDE["dpmsolver++"], algorithm_type="dpmsolver++")
    scheduler.set_timesteps(steps, device=x.device)
    for t in torch.tensor(times[:-1], device=x.device):
        if len(times) < FIRST_ORDER_BELOW and t == times[-2]:
            scheduler.lower_order_nums = 0
        x = scheduler.step(predict(x, t), t, x).prev_sample
    return x


def _steps(sampling: Sampling, first: int) -> int:
    """Steps over 0 .. 999 of which about `sampling.steps` lie at or after `first`; at most every second time."""
    return sampling.steps if first == 0 else STEPS // max(2, (STEPS - first) // sampling.steps)
