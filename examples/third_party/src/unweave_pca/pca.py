"""Linear autoencoder whose units are ordered by what they explain: principal components, learnt by gradient.

Each step asks for the best reconstruction from the first k units, k drawn anew: nested dropout (Rippel, Gelbart, Adams,
ICML 2014, arXiv:1402.0915), which for a linear autoencoder has the principal components as its solution.
"""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from unweave.config import NamedSettings
from unweave.method import Batch, Loss, MethodDefinition, OneShot, Player, Sampling, Start
from unweave.models.foundation import Foundation
from unweave.tensors import Images, Units

CITATION = """@inproceedings{rippel2014learning,
  title     = {Learning Ordered Representations with Nested Dropout},
  author    = {Rippel, Oren and Gelbart, Michael and Adams, Ryan},
  booktitle = {International Conference on Machine Learning},
  year      = {2014}
}"""


class PCASettings(NamedSettings):
    name: Literal["pca"] = "pca"
    units: int = Field(10, ge=1, description="number of components")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "laptop": {"data": {"size": 32}, "training": {"images": 50_000, "batch": 64, "rate": 1e-3, "precision": "float32"}}
}


class PCA(OneShot):
    """Loss: E over k of ||x - decode(first k units)||^2 / pixels."""

    def __init__(self, settings: PCASettings, foundation: Foundation) -> None:
        super().__init__()
        self.shape = foundation.shape
        pixels = foundation.shape[0] * foundation.shape[1] * foundation.shape[2]
        self.encoder = nn.Linear(pixels, settings.units)
        self.decoder = nn.Linear(settings.units, pixels)

    def players(self) -> list[Player]:
        return [Player("pca", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        units = self.encode(batch.images).squeeze(-1)
        count = units.shape[1]
        lengths = torch.randint(1, count + 1, (len(units), 1), generator=rng).to(units.device)
        nested = units * (torch.arange(count, device=units.device) < lengths)
        error = (self.decoder(nested).float() - batch.images.flatten(1)).square().mean()
        return Loss(error, {"reconstruction": error})

    def encode(self, images: Images) -> Units:
        return self.encoder(images.flatten(1)).unsqueeze(-1)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.decoder(units.squeeze(-1)).unflatten(1, self.shape).clamp(-1, 1)


def build(settings: PCASettings, foundation: Foundation) -> PCA:
    return PCA(settings, foundation)


METHOD = MethodDefinition(settings=PCASettings, build=build, presets=PRESETS, citation=CITATION)
