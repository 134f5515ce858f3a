"""An unconditional diffusion model, of pixels or of latents: what DisDiff, PDAE and DiTi stand on.

Ho et al., "Denoising diffusion probabilistic models", arXiv:2006.11239; in latents, Rombach et al., arXiv:2112.10752.
"""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from unweave.config import NamedSettings
from unweave.method import Batch, Loss, MethodDefinition, Player, Pretraining, PreviewImages, Sampling
from unweave.models.diffusion import noising
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.weighting import WEIGHTINGS, Weighting
from unweave.models.foundation import Foundation
from unweave.models.latents import LatentSpace
from unweave.models.unet import UNetShape, unconditional_unet
from unweave.tensors import Images

CITATION = """@inproceedings{ho2020denoising,
  title     = {Denoising Diffusion Probabilistic Models},
  author    = {Ho, Jonathan and Jain, Ajay and Abbeel, Pieter},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2020},
  note      = {arXiv:2006.11239}
}"""


class DenoiserSettings(NamedSettings):
    """Defaults are the latent diffusion model of the DisDiff release (16 x 16 x 3 latents)."""

    name: Literal["denoiser"] = "denoiser"
    channels: tuple[int, ...] = Field((64, 128, 256, 256), description="U-Net widths, fine to coarse")
    attention: tuple[bool, ...] = Field(
        (True, True, True, False), description="which levels attend; the middle always does"
    )
    layers: int = Field(2, ge=1, description="residual blocks per level")
    heads: int = Field(8, ge=1, description="attention heads of the coarsest level; others have heads of that width")
    groups: int = Field(32, ge=1, description="groups of the U-Net's GroupNorm")
    dropout: float = Field(0.0, ge=0, lt=1, description="in the U-Net")
    schedule: noising.Schedule = Field("sqrt_linear", description="'sqrt_linear' (release), 'linear' or 'cosine'")
    prediction: noising.Prediction = Field("eps", description="what the U-Net predicts: 'eps', 'v' or 'x0'")
    loss: Literal["l1", "l2"] = Field("l1", description="'l1' (release) or 'l2'")
    weight: Weighting = Field("uniform", description="loss weight over time (models/diffusion/weighting.py)")
    weight_level: float = Field(1.0, gt=0, description="the level of that weight, an SNR")


LAPTOP = {
    "channels": (32, 64), "attention": (False, True), "layers": 1, "heads": 4, "groups": 16, "loss": "l2",
}  # fmt: skip
FAST = {"images": 60_000, "batch": 32, "rate": 2e-3, "betas": (0.9, 0.98), "warmup": 3_200, "decay": "cosine"}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "release": {
        "method": {},
        "foundation": {"autoencoder": {"recipe": {"method": {"name": "autoencoder"}, "preset": "release"}}},
        "data": {"size": 64},
        "training": {"images": 4_800_000, "batch": 128, "rate": 2.56e-4, "warmup": 1_280_000, "average": 0.9999},
    },
    "release-kl": {
        "method": {},
        "foundation": {"autoencoder": {"recipe": {"method": {"name": "autoencoder"}, "preset": "release-kl"}}},
        "data": {"size": 64},
        "training": {"images": 4_800_000, "batch": 128, "rate": 2.56e-4, "warmup": 1_280_000, "average": 0.9999},
    },
    "pixels-64": {
        "method": {
            "channels": (64, 128, 256, 512), "attention": (False, False, True, False), "heads": 1, "dropout": 0.1,
            "schedule": "linear", "loss": "l2",
        },
        "data": {"size": 64},
        "training": {"images": 72_000_000, "batch": 128, "rate": 1e-4, "weight_decay": 0.0, "average": 0.9999},
    },
    "pixels-128": {
        "method": {
            "channels": (128, 128, 256, 384, 512), "attention": (False, False, False, True, False), "heads": 1,
            "dropout": 0.0, "schedule": "linear", "loss": "l2",
        },
        "data": {"size": 128},
        "training": {"images": 72_000_000, "batch": 128, "rate": 1e-4, "weight_decay": 0.0, "average": 0.9999},
    },
    "laptop": {
        "method": {
            **LAPTOP, "channels": (32, 64, 64), "attention": (False, True, False), "schedule": "linear",
            "prediction": "v",
        },
        "data": {"size": 32},
        "training": {**FAST, "average": 0.995},
    },
    "laptop-vq": {
        "method": {**LAPTOP, "channels": (64, 64)},
        "foundation": {"autoencoder": {"recipe": {"method": {"name": "autoencoder"}, "preset": "laptop"}}},
        "data": {"size": 32},
        "training": {**FAST, "average": 0.995},
    },
    "laptop-kl": {
        "method": {**LAPTOP, "channels": (64, 64)},
        "foundation": {"autoencoder": {"recipe": {"method": {"name": "autoencoder"}, "preset": "laptop-kl"}}},
        "data": {"size": 32},
        "training": {**FAST, "average": 0.995},
    },
}  # fmt: skip
"""`release`: the latent model of the DisDiff release. `pixels-64`, `pixels-128`: the sizes that PDAE and DiTi stand on,
after Diff-AE's templates (that PDAE has the same is our reading of the paper, not checked against its text). `laptop`
(pixels of 32 px), `laptop-vq`, `laptop-kl`: two cores."""


class Denoiser(Pretraining):
    """Loss: mean of w(SNR_t) ‖target - U(x_t, t)‖, x_t the noised image or latent, t uniform over 0 .. 999.

    Deviations from the release: heads of one width at every level where it has eight heads everywhere, and 28.7 M
    parameters where it has 29.4 M, because diffusers' attention has no extra convolution.
    """

    def __init__(self, settings: DenoiserSettings, foundation: Foundation) -> None:
        super().__init__()
        self.settings = settings
        self.space = foundation.diffusion_space()
        check_sizes(settings, self.space.shape)
        channels, rows, _ = self.space.shape
        shape = UNetShape(
            settings.channels, settings.attention, settings.layers, settings.heads, settings.groups, settings.dropout
        )
        self.unet: Any = unconditional_unet(rows, channels, shape)
        self.process = Process(noising.scheduler_config(settings.schedule, settings.prediction))
        self.averaged = ("unet",)

    def players(self) -> list[Player]:
        return [Player("denoiser", self, list(self.unet.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s = self.settings
        x0 = self.space.encode(batch.images)
        t, eps, x_t = self.process.noised(x0, rng)
        abar = self.process.abar[t]
        target = noising.target(s.prediction, x0, eps, abar)
        error = noising.distance(s.loss, self.unet(x_t, t).sample, target)
        weighted = WEIGHTINGS[s.weight](noising.snr(abar), s.weight_level) * error
        return Loss(weighted.mean(), {"denoising": weighted.mean()})

    def preview(self, images: Images, rng: torch.Generator) -> PreviewImages:
        """Images drawn from noise."""
        x_T = self.process.start((len(images), *self.space.shape), rng)
        latents = self.process.sample(lambda x, t: self.unet(x, t).sample, x_T, Sampling("dpmsolver++", 20))
        return self.space.decode(latents).float().clamp(-1, 1)

    def export(self, images: Images, folder: Path) -> None:
        """A pipeline of diffusers: `DDIMPipeline` in pixels, `LDMPipeline` in VQ latents.

        With a KL autoencoder the parts alone: diffusers has no unconditional pipeline for them.
        """
        from diffusers import DDIMScheduler

        self.unet.save_pretrained(folder / "unet")
        DDIMScheduler(**self.process.config, clip_sample=False).save_pretrained(folder / "scheduler")
        parts = {"unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDIMScheduler"]}
        index: dict[str, Any] = {"_class_name": "DDIMPipeline", **parts}
        if isinstance(self.space, LatentSpace):
            self.space.autoencoder.save_pretrained(folder / ("vqvae" if self.space.quantises else "vae"))
            if not self.space.quantises:
                return
            index = {"_class_name": "LDMPipeline", "vqvae": ["diffusers", "VQModel"], **parts}
        (folder / "model_index.json").write_text(json.dumps(index, indent=2), "utf-8")


def check_sizes(settings: DenoiserSettings, shape: tuple[int, int, int]) -> None:
    """Raises ValueError where settings and latents do not fit together."""
    _, rows, columns = shape
    multiple = 2 ** (len(settings.channels) - 1)
    if rows != columns or rows % multiple:
        raise ValueError(
            f"the denoiser has {len(settings.channels)} levels, so it needs squares whose side is a multiple of "
            f"{multiple}, got {rows} x {columns} (of latents, where there is an autoencoder); set data.size."
        )
    if len(settings.attention) != len(settings.channels):
        raise ValueError(
            f"method.attention must have one value per level of method.channels ({len(settings.channels)}), "
            f"got {len(settings.attention)}."
        )
    if any(c % settings.groups for c in settings.channels):
        raise ValueError(
            f"every U-Net width of method.channels must be divisible by method.groups ({settings.groups}), "
            f"got {settings.channels}."
        )


def build(settings: DenoiserSettings, foundation: Foundation) -> Denoiser:
    return Denoiser(settings, foundation)


METHOD = MethodDefinition(settings=DenoiserSettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
