"""The forward process: how images are noised, what the network predicts, and the way back.

x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps, t = 0 .. 999 (Eq. 4 of arXiv:2006.11239). The tables of
abar come from diffusers' schedulers, so a sampler there and a loss here agree by construction.
"""

from typing import Literal

import torch
from diffusers import DDPMScheduler
from jaxtyping import Float
from torch import Tensor

from unweave.shapes import Images, Times

Schedule = Literal["sqrt_linear", "cosine", "linear"]
Prediction = Literal["eps", "v", "x0"]

STEPS = 1000
"""T, the number of time-steps of every schedule here."""

_BETAS: dict[str, dict[str, object]] = {
    # beta linear in its square root, 0.0015 .. 0.0155: what the latent-diffusion code base calls "linear"
    "sqrt_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.0015, "beta_end": 0.0155},
    # s = 0.008, betas clipped at 0.999 (arXiv:2102.09672)
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
    "linear": {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
}

_PREDICTIONS = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}


def config(schedule: Schedule, prediction: Prediction) -> dict[str, object]:
    """What every scheduler of diffusers needs to agree with the functions of this file."""
    return {"num_train_timesteps": STEPS, "prediction_type": _PREDICTIONS[prediction], **_BETAS[schedule]}


def alphas_bar(schedule: Schedule) -> Float[Tensor, "time"]:
    """abar_t for t = 0 .. 999, falling from near 1 to near 0."""
    return DDPMScheduler(**config(schedule, "eps")).alphas_cumprod.float()


def per_image(values: Float[Tensor, "batch"]) -> Float[Tensor, "batch 1 1 1"]:
    return values[:, None, None, None]


def add_noise(x0: Images, eps: Images, abar: Float[Tensor, "batch"]) -> Images:
    """x_t of x_0 and eps, abar being abar_t of each image."""
    a = per_image(abar)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def target(prediction: Prediction, x0: Images, eps: Images, abar: Float[Tensor, "batch"]) -> Images:
    """What the network is asked for: eps, x_0, or v = sqrt(abar) eps - sqrt(1 - abar) x_0 (arXiv:2202.00512)."""
    if prediction == "eps":
        return eps
    if prediction == "x0":
        return x0
    a = per_image(abar)
    return a.sqrt() * eps - (1 - a).sqrt() * x0


def snr(abar: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """abar / (1 - abar), the signal-to-noise ratio."""
    return abar / (1 - abar)


def uniform_times(count: int, rng: torch.Generator, device: torch.device, first: int = 0) -> Times:
    """Time-steps drawn uniformly from first .. 999; on the generator's device, then moved."""
    return torch.randint(first, STEPS, (count,), generator=rng, device=rng.device).to(device)
