"""What PDAE and DiTi share: one code per image that corrects the noise prediction of a frozen diffusion model.

Zhang, Zhao, Lin, "Unsupervised representation learning from pre-trained diffusion probabilistic models" (PDAE),
NeurIPS 2022, arXiv:2212.12990. The methods (methods/pdae.py, methods/diti.py) differ in their `CodeMask`: what of the
code the decoder sees at which time.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from unweave.config import NamedSettings, SettingsError
from unweave.method import Batch, Generative, Loss, Player, Sampling, Start
from unweave.models.diffusion.noising import (
    STEPS,
    gap_shift,
    mean_shift,
    per_image,
    score_shift,
    snr,
    velocity_shift,
)
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import Predict
from unweave.models.encoder import attention_encoder
from unweave.models.foundation import Foundation, FrozenEncoder
from unweave.models.gathered import BatchNorm
from unweave.models.gradient_decoder import GradientDecoder, check_splittable
from unweave.models.latents import PixelSpace
from unweave.models.unet import time_width
from unweave.tensors import Images, PerImage, Times, Units

Code = Float[Tensor, "batch number"]


class GuidedSettings(NamedSettings):
    """Defaults are the published ones for 64 px."""

    dim: int = Field(512, ge=1, description="numbers of an image's code; each is a unit")
    encoder_widths: tuple[int, ...] | None = Field(
        None, description="channels after each halving, down to 4 x 4; if not given, the published ones for the size"
    )
    weight: Literal["snr", "clean", "uniform", "gap"] = Field(
        "snr",
        description="loss weight over time: SNR^gamma / (1 + SNR) (published), 1 / SNR (the error of x_0), none, or "
        "1 / (SNR e_t) (the share of the frozen model's error that is left, at every time)",
    )
    gamma: float = Field(0.1, ge=0, description="exponent of the published weight")
    field: Literal["score", "velocity", "gap"] = Field(
        "score",
        description="what the gradient decoder adds: a score (published), a velocity, of one size at all times, or "
        "what the frozen model's x_0 lacks, in units of its error sqrt(e_t)",
    )
    placed: bool = Field(
        False, description="true: the code also reaches the gradient decoder as a map of places; false (published)"
    )
    gain: float | None = Field(
        None,
        gt=0,
        description="where set, every number of the code has mean 0 and a learnt deviation, which begins at this gain",
    )
    noise: float = Field(0.0, ge=0, description="deviation of Gaussian noise that training adds to the code")
    cost: float = Field(0.0, ge=0, description="weight of the code's cost |z|²/2 (over noise², where there is noise)")


RELEASE = {
    "images": 38_000_000, "batch": 128, "rate": 2e-4, "weight_decay": 0.0, "average": 0.9999, "precision": "float32",
}  # fmt: skip
FAST = {
    "images": 24_000, "batch": 16, "rate": 2e-3, "betas": (0.9, 0.95), "warmup": 800, "decay": "cosine", "clip": 1.0,
    "average": 0.995,
}  # fmt: skip
GAP = {
    "field": "gap", "weight": "gap", "placed": True, "gain": 3.0, "noise": 1.0, "cost": 0.004, "dim": 48,
}  # fmt: skip
"""Ours: see `Guided`."""
GAP_TRAINING = {
    "images": 32_000, "batch": 32, "rate": 2e-3, "betas": (0.9, 0.99), "weight_decay": 0.0, "warmup": 1_600,
    "decay": "cosine", "clip": 1.0, "average": 0.99,
}  # fmt: skip


def presets() -> dict[str, dict[str, dict[str, Any]]]:
    """Presets of a method on this base: at 64 and 128 px as published, and for minutes on two cores."""

    def foundation(preset: str) -> dict[str, Any]:
        return {"denoiser": {"recipe": {"method": {"name": "denoiser"}, "preset": preset}}}

    return {
        "release": {"method": {}, "foundation": foundation("pixels-64"), "data": {"size": 64}, "training": RELEASE},
        "release-128": {
            "method": {}, "foundation": foundation("pixels-128"),
            "data": {"size": 128}, "training": {**RELEASE, "images": 64_000_000},
        },
        "laptop": {
            "method": {"weight": "clean", "field": "velocity"},
            "foundation": foundation("laptop"), "data": {"size": 32}, "training": FAST,
        },
        "gap": {
            "method": {**GAP}, "foundation": foundation("laptop"), "data": {"size": 32}, "training": GAP_TRAINING,
        },
    }  # fmt: skip


class CodeMask(nn.Module, ABC):
    """What of an image's code the decoder sees at its time."""

    @abstractmethod
    def visible(self, code: Code, t: Times) -> Code:
        """The code as the decoder sees it."""

    @abstractmethod
    def training_codes(self, code: Code, t: Times) -> Sequence[Code]:
        """The codes whose losses are added up: `visible`, with other gradients where a method wants them."""


class Guided(Generative):
    """Loss: mean of lambda_t (eps - (eps_0 + s_t G(x_t, t, z)))², t uniform over 0 .. 999.

    eps_0 is the frozen model's noise prediction, G the gradient decoder, z = E(x_0) the code, s_t `mean_shift` (Eq. 12
    of arXiv:2212.12990, by our reading: not checked against its text) and lambda_t = SNR^gamma / (1 + SNR), or what
    `field` and `weight` say. Images are drawn with eps_0 + d_t G (`score_shift`, or `velocity_shift`),
    deterministically, and x_0 is kept in [-1, 1] at every step unless `sampling.clip` is off (or in latents). Every
    number of the code is a unit. Scores use the averaged encoder, as published.

    Deviations: the blocks of the gradient decoder are diffusers', whose last convolutions begin at zero; samplers take
    diffusers' "trailing" steps (999, 999 - T/n, ...) where the release spreads n + 1 evenly over 0 .. 999; no flips
    while training, because a flip may be a factor. The `laptop` presets, whose own denoiser predicts v, let G shift v
    (eps_0 + sqrt(abar_t) G in the loss and in sampling) and weigh by 1 / SNR, which makes the loss that of x_0. A score
    must be as small as sqrt(abar_t) where noise is strong, and there, where a code says most, the published loss hardly
    looks: with few images the code is not learnt (docs/diti.md has the numbers). Raises SettingsError for that weight
    on a model that predicts the noise.

    The `gap` presets, ours, write x_0_hat = frozen x_0_hat + sqrt(e_t) G (eps_0 - sqrt(SNR e_t) G in the loss and in
    sampling), where e_t is the frozen model's mean square error of x_0 at t (`models/frozen_error.py`), measured once
    before the first step and kept in the checkpoint, at least 1/5000 of the largest. G then has the size of what is
    missing at every time, so that what is lost early, which is small, is learnt beside what is lost late; the weight
    1 / (SNR e_t) makes the loss the share of the error that is left. `gain`: z = gain · (E(x_0) - mean) / deviation,
    over the images of a batch, and with `noise` the decoder sees z + noise · n, n ~ N(0, 1), in training alone; `cost`
    adds cost |z|² / (2 noise²), rising over the first half of the training, so that a number which says nothing new is
    drowned. Units are z without noise.

    On `foundation.encoder`, another run's method, the units are that run's, frozen, and the rest learns to draw them;
    `dim`, `encoder_widths`, `gain`, `noise` and `cost` say nothing then.
    """

    def __init__(self, settings: GuidedSettings, foundation: Foundation, name: str, mask: CodeMask) -> None:
        super().__init__()
        self.denoiser = foundation.required_denoiser(name)
        check_splittable(self.denoiser.unet)
        if settings.weight == "clean" and self.denoiser.process.prediction_type == "epsilon":
            raise SettingsError(
                f"{name} with method.weight=clean counts errors of x_0, and a model that predicts the noise has huge "
                "ones where noise is strong: set method.weight=snr method.field=score, as published, or train a "
                "denoiser with method.prediction=v."
            )
        self.settings = settings
        self.mask = mask
        self.space = foundation.diffusion_space()
        self.bounded = isinstance(self.space, PixelSpace)
        frozen = foundation.encoder
        self.encoder = frozen or attention_encoder(foundation.shape, settings.dim, settings.encoder_widths)
        width = time_width(self.denoiser.unet)
        self.condition = nn.Linear(frozen.numbers if frozen else settings.dim, width)
        self.decoder = GradientDecoder(self.denoiser.unet, width, self.space.shape[1:] if settings.placed else None)
        self.process = Process({**self.denoiser.process.config, "prediction_type": "epsilon"}, trailing=True)
        self.norm = None if frozen or settings.gain is None else CodeNorm(settings.dim, settings.gain)
        self.averaged = (*(() if frozen else ("encoder",)), "condition", "decoder", *(("norm",) if self.norm else ()))
        self.averaged_buffers = ("norm",) if self.norm else ()
        self.error: Tensor | None
        self.register_buffer("error", first_error(foundation) if "gap" in (settings.field, settings.weight) else None)

    def players(self) -> list[Player]:
        parts = (self.encoder, self.condition, self.decoder, *((self.norm,) if self.norm else ()))
        trained = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        return [Player("guidance", self, trained)]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        code = self.code(self.encode(batch.to_encode))
        x0 = self.space.encode(batch.images)
        t, eps, x_t = self.process.noised(x0, rng)
        features, eps_0 = self.denoiser.features_and_noise(x_t, t)
        shift = per_image(self.shift(t) if self.settings.field != "score" else mean_shift(self.process.abar, t))
        weight, total, error = self.weigh(t), torch.zeros((), device=t.device), torch.zeros_like(eps)
        for visible in self.mask.training_codes(self.noised_code(code, rng), t):
            field = self.decoder(features, features.embedding, self.condition(visible)).float()
            error = weight * (eps - eps_0 - shift * field).square().mean((1, 2, 3))
            total = total + error.mean()
        terms = {"denoising": error.mean()}
        if self.settings.cost and not isinstance(self.encoder, FrozenEncoder):
            terms["cost"] = code.square().sum(1).mean() / 2 / (self.settings.noise or 1.0) ** 2
            total = total + self.settings.cost * rise(batch) * terms["cost"]
        return Loss(total, terms)

    def noised_code(self, code: Code, rng: torch.Generator) -> Code:
        """The code as the decoder sees it in training, before the mask."""
        if not self.settings.noise or isinstance(self.encoder, FrozenEncoder):
            return code
        return code + self.settings.noise * torch.randn(code.shape, generator=rng, device=rng.device).to(code.device)

    def shift(self, t: Times) -> PerImage:
        """What the field is multiplied with to be added to eps_0 when images are drawn."""
        abar = self.process.abar[t]
        if self.settings.field == "gap":
            assert self.error is not None
            return gap_shift(abar, self.error[t])
        return score_shift(abar) if self.settings.field == "score" else velocity_shift(abar)

    def weigh(self, t: Times) -> PerImage:
        """lambda_t of each image."""
        ratio = snr(self.process.abar[t])
        if self.settings.weight == "gap":
            assert self.error is not None
            return 1 / (ratio * self.error[t])
        if self.settings.weight == "clean":
            return 1 / ratio
        return ratio**self.settings.gamma / (1 + ratio) if self.settings.weight == "snr" else torch.ones_like(ratio)

    def encode(self, images: Images) -> Units:
        with torch.autocast(images.device.type, enabled=False):
            if isinstance(self.encoder, FrozenEncoder):
                return self.encoder(images)
            code = self.encoder(images)
            return (code if self.norm is None else self.norm(code)).unsqueeze(2)

    def code(self, units: Units) -> Float[Tensor, "batch number"]:
        """What the decoder sees of the units."""
        return self.encoder.flat(units) if isinstance(self.encoder, FrozenEncoder) else units.squeeze(2)

    def start(self, count: int, rng: torch.Generator) -> Start:
        return self.process.start((count, *self.space.shape), rng)

    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        return self.process.invert(self.predictor(units), self.space.encode(images), sampling)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        predict = self.predictor(units)
        if sampling.clip and self.bounded:
            predict = self.process.clipping(predict)
        return self.space.decode(self.process.sample(predict, start, sampling, rng)).float().clamp(-1, 1)

    def predictor(self, units: Units) -> Predict:
        """The noise prediction as samplers ask for it, at one time for all images: eps_0 and the field's shift."""
        code = self.code(units)

        def predict(x_t: Images, t: Tensor) -> Images:
            times = t.to(x_t.device).expand(x_t.shape[0])
            features, eps_0 = self.denoiser.features_and_noise(x_t, times)
            visible = self.mask.visible(code, times)
            field = self.decoder(features, features.embedding, self.condition(visible)).float()
            return eps_0 + per_image(self.shift(times)) * field

        return predict


class CodeNorm(nn.Module):
    """gain · (number - its mean) / its deviation, over the images of a batch; the gain is learnt.

    Where it does not train, over what it has seen. The averaged weights have averages of those statistics, too, since
    the averaged encoder's are not the last encoder's.
    """

    def __init__(self, numbers: int, gain: float) -> None:
        super().__init__()
        self.statistics = BatchNorm(numbers, affine=False)
        self.gain = nn.Parameter(torch.full((numbers,), gain))

    def forward(self, code: Code) -> Code:
        return self.gain * self.statistics(code)


def first_error(foundation: Foundation) -> Float[Tensor, "time"]:
    """e_t of the frozen model, at least 1/5000 of the largest; ones where it is not measured but to be loaded."""
    if foundation.error is None:
        return torch.ones(STEPS)
    error = foundation.error.at_all_times()
    return error.clamp(min=float(error.max()) / 5_000)


def rise(batch: Batch) -> float:
    """From 0 to 1 over the first half of the training; 1 where its length is not known."""
    return min(1.0, 2 * batch.seen / batch.budget) if batch.budget else 1.0
