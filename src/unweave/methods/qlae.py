"""QLAE: an autoencoder whose units each take one of a few learnt values, under a strong weight decay.

Hsu, Dorrell, Whittington, Wu & Finn, "Disentanglement via latent quantization", NeurIPS 2023, arXiv:2305.18378.
Losses, values and optimiser are those of the authors' release (its configuration for Shapes3D); encoder and decoder are
those of the disentanglement_lib sweep (arXiv:1811.12359), in the place of theirs, whose decoder is styled by the code
at every layer. Here everything decays, the biases and the values of units as well, which are spared there.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import NamedSettings
from unweave.method import Batch, Loss, MethodDefinition, OneShot, Player, Sampling, Start
from unweave.methods._vae import ScalarCodes
from unweave.models import vae
from unweave.models.foundation import Foundation
from unweave.tensors import Images, Units

CITATION = """@inproceedings{hsu2023disentanglement,
  title     = {Disentanglement via Latent Quantization},
  author    = {Hsu, Kyle and Dorrell, Will and Whittington, James C. R. and Wu, Jiajun and Finn, Chelsea},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2023}
}"""


class QLAESettings(NamedSettings):
    """The paper has twice as many units as there are factors."""

    name: Literal["qlae"] = "qlae"
    units: int = Field(12, ge=1, description="number of units N")
    values: int = Field(10, ge=2, description="values that each unit may take")
    quantization: float = Field(0.01, ge=0, description="weight of values that move to the codes")
    commitment: float = Field(0.01, ge=0, description="weight of codes that move to their values")


TRAINING: dict[str, Any] = {"rate": 1e-3, "weight_decay": 0.1, "precision": "float32"}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "release": {"training": {"images": 25_600_000, "batch": 128, **TRAINING}},
    "laptop": {"data": {"size": 32}, "training": {"images": 400_000, "batch": 64, **TRAINING}},
}
"""The release's training (200,000 steps of 128 images), and one of minutes, whose budget is ours."""


class QLAE(OneShot):
    """Loss: -log p(x|q) a pixel + quantization mean (sg[z] - q)^2 + commitment mean (z - sg[q])^2.

    Every unit z_i of the encoder becomes q_i, the nearest of its own values, which begin evenly in [-0.5, 0.5]; the
    decoder's gradient goes to z as if there were no rounding. p(x|q) is Bernoulli on images in [0, 1], and means are
    over pixels, units and images. Units are the values; the decoder draws what lies between them as well.
    """

    def __init__(self, settings: QLAESettings, foundation: Foundation) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = vae.encoder(foundation.shape, settings.units)
        self.decoder = vae.decoder(foundation.shape, settings.units)
        self.values = nn.Parameter(torch.linspace(-0.5, 0.5, settings.values).repeat(settings.units, 1))

    def players(self) -> list[Player]:
        return [Player("autoencoder", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        z = self.numbers(batch.to_encode)
        q = nearest_values(z, self.values)
        logits = self.decoder(z + (q - z).detach()).float()
        reconstruction = functional.binary_cross_entropy_with_logits(logits, (batch.images + 1) / 2)
        quantization = (z.detach() - q).square().mean()
        commitment = (z - q.detach()).square().mean()
        s = self.settings
        return Loss(
            reconstruction + s.quantization * quantization + s.commitment * commitment,
            {"reconstruction": reconstruction, "quantization": quantization},  # as large as the commitment
        )

    def numbers(self, images: Images) -> ScalarCodes:
        """The units before they are rounded to their values."""
        with torch.autocast(images.device.type, enabled=False):
            return self.encoder(images)

    def encode(self, images: Images) -> Units:
        return nearest_values(self.numbers(images), self.values).unsqueeze(-1)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.decoder(units.squeeze(-1)).float().sigmoid() * 2 - 1


def nearest_values(z: ScalarCodes, values: Float[Tensor, "unit value"]) -> ScalarCodes:
    """The nearest value of each unit, with the gradient of the values."""
    nearest = (z.detach().unsqueeze(-1) - values.detach()).abs().argmin(-1)  # (batch, unit)
    return values.expand(len(z), -1, -1).gather(-1, nearest.unsqueeze(-1)).squeeze(-1)


def build(settings: QLAESettings, foundation: Foundation) -> QLAE:
    return QLAE(settings, foundation)


METHOD = MethodDefinition(settings=QLAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
