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
from unweave.models.diffusion.noising import mean_shift, per_image, score_shift, snr, velocity_shift
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import Predict
from unweave.models.encoder import attention_encoder
from unweave.models.foundation import Foundation, FrozenEncoder
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
    weight: Literal["snr", "clean", "uniform"] = Field(
        "snr",
        description="loss weight over time: SNR^gamma / (1 + SNR) (published), 1 / SNR (the error of x_0), or none",
    )
    gamma: float = Field(0.1, ge=0, description="exponent of the published weight")
    field: Literal["score", "velocity"] = Field(
        "score",
        description="what the gradient decoder adds: a score (published), or a velocity, of one size at all times",
    )


RELEASE = {
    "images": 38_000_000, "batch": 128, "rate": 2e-4, "weight_decay": 0.0, "average": 0.9999, "precision": "float32",
}  # fmt: skip
FAST = {
    "images": 24_000, "batch": 16, "rate": 2e-3, "betas": (0.9, 0.95), "warmup": 800, "decay": "cosine", "clip": 1.0,
    "average": 0.995,
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

    On `foundation.encoder`, another run's method, the units are that run's, frozen, and the rest learns to draw them;
    `dim` and `encoder_widths` say nothing then.
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
        self.decoder = GradientDecoder(self.denoiser.unet, width)
        self.process = Process({**self.denoiser.process.config, "prediction_type": "epsilon"}, trailing=True)
        self.averaged = (*(() if frozen else ("encoder",)), "condition", "decoder")

    def players(self) -> list[Player]:
        parts = (self.encoder, self.condition, self.decoder)
        trained = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        return [Player("guidance", self, trained)]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        code = self.code(self.encode(batch.images))
        x0 = self.space.encode(batch.images)
        t, eps, x_t = self.process.noised(x0, rng)
        abar = self.process.abar[t]
        features, eps_0 = self.denoiser.features_and_noise(x_t, t)
        score = self.settings.field == "score"
        s_t = per_image(mean_shift(self.process.abar, t) if score else velocity_shift(abar))
        weight, total, error = self.weigh(t), 0.0, torch.zeros_like(abar)
        for visible in self.mask.training_codes(code, t):
            field = self.decoder(features, features.embedding, self.condition(visible)).float()
            error = weight * (eps - eps_0 - s_t * field).square().mean((1, 2, 3))
            total = total + error.mean()
        return Loss(torch.as_tensor(total), {"denoising": error.mean()})

    def weigh(self, t: Times) -> PerImage:
        """lambda_t of each image."""
        ratio = snr(self.process.abar[t])
        if self.settings.weight == "clean":
            return 1 / ratio
        return ratio**self.settings.gamma / (1 + ratio) if self.settings.weight == "snr" else torch.ones_like(ratio)

    def encode(self, images: Images) -> Units:
        with torch.autocast(images.device.type, enabled=False):
            return (
                self.encoder(images) if isinstance(self.encoder, FrozenEncoder) else self.encoder(images).unsqueeze(2)
            )

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
        shift = score_shift if self.settings.field == "score" else velocity_shift

        def predict(x_t: Images, t: Tensor) -> Images:
            times = t.to(x_t.device).expand(len(x_t))
            features, eps_0 = self.denoiser.features_and_noise(x_t, times)
            visible = self.mask.visible(code, times)
            field = self.decoder(features, features.embedding, self.condition(visible)).float()
            return eps_0 + per_image(shift(self.process.abar[times])) * field

        return predict
