"""Barlow Twins: the numbers of a code agree between two views, and no two of them say the same.

Zbontar et al., "Barlow Twins: self-supervised learning via redundancy reduction", ICML 2021, arXiv:2103.03230.
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from unweave.method import Batch, Loss, MethodDefinition
from unweave.methods._contrastive import Codes, Contrastive, ContrastiveSettings, check, presets, projector
from unweave.models.foundation import Foundation
from unweave.models.gathered import gather
from unweave.tensors import Images, Scalar

CITATION = """@inproceedings{zbontar2021barlow,
  title     = {Barlow Twins: Self-Supervised Learning via Redundancy Reduction},
  author    = {Zbontar, Jure and Jing, Li and Misra, Ishan and LeCun, Yann and Deny, St{\\'e}phane},
  booktitle = {International Conference on Machine Learning},
  year      = {2021},
  note      = {arXiv:2103.03230}
}"""


class BarlowTwinsSettings(ContrastiveSettings):
    name: Literal["barlowtwins"] = "barlowtwins"
    redundancy: float = Field(5e-3, ge=0, description="lambda, the weight of what two numbers share")
    scale: float = Field(1.0, gt=0, description="of the whole loss, for rates made for another one; solo-learn has 0.1")


PRESETS = presets(
    laptop={},
    published={"hidden": 2048, "outputs": 2048, "scale": 0.1},
    training={"optimiser": "lars", "rate": 0.3, "weight_decay": 1e-4},
    views={"solarise": 0.2},
)


class BarlowTwins(Contrastive):
    """Loss: sum_i (1 - C_ii)² + lambda sum_{i != j} C_ij² (Eq. 1 of the paper), C of the projections of both views.

    C is taken over the whole batch, gathered from all processes. Deviation: `scale` is not in the paper.
    """

    settings: BarlowTwinsSettings

    def __init__(self, settings: BarlowTwinsSettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, projector(settings, layers=3))

    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        C = cross_correlation(gather(self.project(first)), gather(self.project(second)))
        same, shared = invariance(C), redundancy(C)
        loss = self.settings.scale * (same + self.settings.redundancy * shared)
        return Loss(loss, {"invariance": same, "redundancy": shared})


def cross_correlation(first: Codes, second: Codes, eps: float = 1e-5) -> Float[Tensor, "dim dim"]:
    """C_ij, the correlation over the batch of number i of one view with number j of the other (Eq. 2)."""
    whitened = [(z - z.mean(0)) / (z.var(0, unbiased=False) + eps).sqrt() for z in (first, second)]
    return whitened[0].T @ whitened[1] / len(first)


def invariance(C: Float[Tensor, "dim dim"]) -> Scalar:
    """sum_i (1 - C_ii)²: 0 where each number is the same in both views."""
    return (1 - C.diagonal()).square().sum()


def redundancy(C: Float[Tensor, "dim dim"]) -> Scalar:
    """sum_{i != j} C_ij²: 0 where no number can be told from another."""
    return (C - torch.diag(C.diagonal())).square().sum()


def build(settings: BarlowTwinsSettings, foundation: Foundation) -> BarlowTwins:
    return BarlowTwins(settings, foundation)


METHOD = MethodDefinition(settings=BarlowTwinsSettings, build=build, presets=PRESETS, citation=CITATION, check=check)
