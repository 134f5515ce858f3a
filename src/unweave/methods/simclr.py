"""SimCLR: the other view of an image is told from the views of all others in the batch.

Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020, arXiv:2002.05709.
"""

from typing import Literal

import torch
from pydantic import Field
from torch.nn import functional

from unweave.method import Batch, Loss, MethodDefinition
from unweave.methods._contrastive import (
    Codes,
    Contrastive,
    ContrastiveSettings,
    check,
    cosine,
    presets,
    projector,
    unit_length,
)
from unweave.models.foundation import Foundation
from unweave.models.gathered import gather
from unweave.tensors import Images, Scalar

CITATION = """@inproceedings{chen2020simple,
  title     = {A Simple Framework for Contrastive Learning of Visual Representations},
  author    = {Chen, Ting and Kornblith, Simon and Norouzi, Mohammad and Hinton, Geoffrey},
  booktitle = {International Conference on Machine Learning},
  year      = {2020},
  note      = {arXiv:2002.05709}
}"""


class SimCLRSettings(ContrastiveSettings):
    name: Literal["simclr"] = "simclr"
    temperature: float = Field(0.5, gt=0, description="tau; the paper's is 0.5 for CIFAR, solo-learn's 0.2")
    negatives: bool = Field(True, description="false: views of one image attract, none repel, and the code collapses")


PRESETS = presets(
    laptop={"temperature": 0.2},
    published={"hidden": 2048, "outputs": 256, "temperature": 0.2},
    training={"optimiser": "lars", "rate": 0.4, "weight_decay": 1e-4},
    views={"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2, "blur": 0.5},
)


class SimCLR(Contrastive):
    """Loss: the cross-entropy of the other view among the 2N - 1 others, NT-Xent (Eq. 1 of the paper).

    Negatives are the views of all other images of the whole batch, gathered from all processes.
    """

    settings: SimCLRSettings

    def __init__(self, settings: SimCLRSettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, projector(settings))

    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        s = self.settings
        z1, z2 = gather(self.project(first)), gather(self.project(second))
        loss = nt_xent(z1, z2, s.temperature) if s.negatives else -cosine(z1, z2) / s.temperature
        return Loss(loss, {"cross_entropy": loss})


def nt_xent(first: Codes, second: Codes, temperature: float) -> Scalar:
    """-log exp(s(i, j) / tau) / sum_{k != i} exp(s(i, k) / tau), mean over all 2N views i; s is the cosine (Eq. 1)."""
    views, count = torch.cat([unit_length(first), unit_length(second)]), len(first)
    similarity = (views @ views.T / temperature).fill_diagonal_(float("-inf"))
    other = torch.arange(2 * count, device=views.device).roll(count)
    return functional.cross_entropy(similarity, other)


def build(settings: SimCLRSettings, foundation: Foundation) -> SimCLR:
    return SimCLR(settings, foundation)


METHOD = MethodDefinition(settings=SimCLRSettings, build=build, presets=PRESETS, citation=CITATION, check=check)
