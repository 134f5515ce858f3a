"""The equations of diffusion: how images are noised, what a network predicts of them, and the way back.

x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps, t = 0 .. 999 (Eq. 4 of arXiv:2006.11239). The tables of abar come from
diffusers' schedulers, so a sampler there and a loss here agree by construction. `process.Process` binds a schedule.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.tensors import Images, PerImage, Times

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


def scheduler_config(schedule: Schedule, prediction: Prediction) -> dict[str, object]:
    """What every scheduler of diffusers needs to agree with the functions of this file."""
    return {"num_train_timesteps": STEPS, "prediction_type": _PREDICTIONS[prediction], **_BETAS[schedule]}


def read_scheduler_config(scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a scheduler's configuration that matters here. Raises ValueError for one that cannot be followed."""
    names = ("num_train_timesteps", "beta_schedule", "beta_start", "beta_end", "prediction_type")
    full = {"num_train_timesteps": 1000, "prediction_type": "epsilon", **scheduler}
    missing = [name for name in names if name not in full]
    if missing:
        raise ValueError(f"the scheduler of the denoiser does not say {missing[0]}: is it a DDPM or DDIM scheduler?")
    if full["num_train_timesteps"] != STEPS:
        raise ValueError(
            f"the denoiser was trained with {full['num_train_timesteps']} time-steps; only {STEPS} can be used here."
        )
    if full["prediction_type"] not in ("epsilon", "sample", "v_prediction"):
        raise ValueError(
            f"the denoiser predicts {full['prediction_type']!r}; epsilon, sample or v_prediction can be used."
        )
    if full.get("rescale_betas_zero_snr"):
        raise ValueError("the denoiser was trained with zero terminal SNR, where eps and x_0 cannot be exchanged.")
    if full["beta_schedule"] not in ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"):
        raise ValueError(f"the noise schedule {full['beta_schedule']!r} of the denoiser is not one of DDPMScheduler's.")
    config = {name: full[name] for name in names}
    return config | ({"trained_betas": full["trained_betas"]} if full.get("trained_betas") is not None else {})


def alphas_bar(config: Mapping[str, Any]) -> Float[Tensor, "time"]:
    """abar_t for t = 0 .. 999, falling from near 1 to near 0, of a scheduler with this configuration."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(**config).alphas_cumprod.float()


def per_image(values: PerImage) -> Float[Tensor, "batch 1 1 1"]:
    return values[:, None, None, None]


def add_noise(x0: Images, eps: Images, abar: PerImage) -> Images:
    """x_t of x_0 and eps, abar being abar_t of each image."""
    a = per_image(abar)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def target(prediction: Prediction, x0: Images, eps: Images, abar: PerImage) -> Images:
    """What the network is asked for: eps, x_0, or v = sqrt(abar) eps - sqrt(1 - abar) x_0 (arXiv:2202.00512)."""
    if prediction == "eps":
        return eps
    if prediction == "x0":
        return x0
    a = per_image(abar)
    return a.sqrt() * eps - (1 - a).sqrt() * x0


def noise_of(kind: str, output: Images, x_t: Images, abar: PerImage) -> Images:
    """eps from a network's output, which is eps, x_0 or v: the inverse of `target`, given x_t.

    `kind` is what diffusers calls it: epsilon, sample or v_prediction.
    """
    if kind == "epsilon":
        return output
    a = per_image(abar)
    if kind == "sample":
        return (x_t - a.sqrt() * output) / (1 - a).sqrt()
    if kind == "v_prediction":
        return a.sqrt() * output + (1 - a).sqrt() * x_t
    raise ValueError(f"a denoiser must predict 'epsilon', 'sample' or 'v_prediction', got {kind!r}.")


def clean_of(eps: Images, x_t: Images, abar: PerImage) -> Images:
    """x_0 from x_t and its noise: (x_t - sqrt(1 - abar) eps) / sqrt(abar)."""
    a = per_image(abar)
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def clean_from(kind: str, output: Images, x_t: Images, abar: PerImage) -> Images:
    """x_0 from a network's output, which is eps, x_0 or v; `kind` as in `noise_of`."""
    return output if kind == "sample" else clean_of(noise_of(kind, output, x_t, abar), x_t, abar)


def clipped(eps: Images, x_t: Images, abar: PerImage) -> Images:
    """The noise that x_t has if its x_0 is kept in [-1, 1]; `eps` where it lies there already."""
    return noise_of("sample", clean_of(eps, x_t, abar).clamp(-1, 1), x_t, abar)


def score_shift(abar: PerImage) -> PerImage:
    """d_t = -sqrt(1 - abar_t): what a gradient field is multiplied with to be added to eps when one samples (DDIM)."""
    return -(1 - abar).sqrt()


def mean_shift(abar: Float[Tensor, "time"], t: Times) -> PerImage:
    """s_t = -sqrt(alpha_t) (1 - abar_{t-1}) / sqrt(1 - abar_t), with abar_{-1} = 1: the same in PDAE's training loss.

    It carries a shift of the posterior mean over to eps (arXiv:2212.12990, Eq. 12, by our reading: not
    checked against its text); 0 at t = 0.
    """
    before = torch.where(t > 0, abar[(t - 1).clamp(min=0)], torch.ones_like(abar[t]))
    return -(abar[t] / before).sqrt() * (1 - before) / (1 - abar[t]).sqrt()


def velocity_shift(abar: PerImage) -> PerImage:
    """sqrt(abar_t): what a shift of v is multiplied with to be added to eps (x_0 then moves by -sqrt(1 - abar_t) times
    the shift of v)."""
    return abar.sqrt()


def gap_shift(abar: PerImage, error: PerImage) -> PerImage:
    """-sqrt(SNR e_t): what a correction of x_0 of size sqrt(e_t) is multiplied with to be added to eps.

    `error` is e_t, the mean square error of the frozen model's x_0; x_0 then moves by sqrt(e_t) times the correction.
    """
    return -(snr(abar) * error).sqrt()


def clean_shift(abar: PerImage) -> PerImage:
    """-sqrt(SNR): what a shift of x_0 is multiplied with to be added to eps."""
    return -snr(abar).sqrt()


def snr(abar: PerImage) -> PerImage:
    """abar / (1 - abar), the signal-to-noise ratio."""
    return abar / (1 - abar)


def distance(kind: Literal["l1", "l2"], prediction: Images, target: Images) -> PerImage:
    """Mean absolute ('l1') or squared ('l2') error of each image."""
    difference = prediction.float() - target
    return (difference.abs() if kind == "l1" else difference.square()).mean((1, 2, 3))


def uniform_times(count: int, rng: torch.Generator, device: torch.device, first: int = 0) -> Times:
    """Time-steps drawn uniformly from first .. 999; on the generator's device, then moved."""
    return torch.randint(first, STEPS, (count,), generator=rng, device=rng.device).to(device)
