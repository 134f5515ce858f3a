"""DINO: a network sorts a view among prototypes as a slow copy of itself sorts the other view.

Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021, arXiv:2104.14294.
"""

from math import sqrt
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unweave.method import Batch, Loss, MethodDefinition
from unweave.methods._contrastive import (
    Codes,
    Contrastive,
    ContrastiveSettings,
    check,
    follow,
    presets,
    projector,
    rising,
    target,
    unit_length,
)
from unweave.models.foundation import Foundation
from unweave.models.gathered import gather
from unweave.tensors import Images, Scalar

CITATION = """@inproceedings{caron2021emerging,
  title     = {Emerging Properties in Self-Supervised Vision Transformers},
  author    = {Caron, Mathilde and Touvron, Hugo and Misra, Ishan and J{\\'e}gou, Herv{\\'e} and Mairal, Julien and
               Bojanowski, Piotr and Joulin, Armand},
  booktitle = {IEEE/CVF International Conference on Computer Vision},
  year      = {2021},
  note      = {arXiv:2104.14294}
}"""

Answers = Float[Tensor, "batch prototype"]


class DINOSettings(ContrastiveSettings):
    name: Literal["dino"] = "dino"
    prototypes: int = Field(1024, ge=2, description="what views are sorted among; solo-learn's for CIFAR is 4096")
    temperature: float = Field(0.1, gt=0, description="of the network")
    target_temperature: float = Field(0.04, gt=0, description="of the moving target, whose answers are sharper")
    decay: float = Field(0.996, ge=0, le=1, description="of the moving target at the start")
    decay_end: float = Field(1.0, ge=0, le=1, description="at the end of the budget, along a cosine")
    centring: bool = Field(True, description="false: the target's mean is not taken off, and one prototype takes all")
    centre_decay: float = Field(0.9, ge=0, le=1, description="of the mean that is taken off")


PRESETS = presets(
    laptop={"prototypes": 256, "decay": 0.98},
    published={"hidden": 2048, "outputs": 256, "prototypes": 4096, "decay": 0.9995},
    training={"optimiser": "lars", "rate": 0.3, "weight_decay": 1e-6},
    views={"solarise": 0.2},
)


class DINO(Contrastive):
    """Loss: H(P_target(x1), P(x2)) / 2 + H(P_target(x2), P(x1)) / 2, cross-entropies over prototypes (Eq. 2 and 3).

    P is a softmax over the cosines of a projection with every prototype. The target's is sharper, and its mean over
    time, the centre, is taken off first (Eq. 4); the centre is part of the checkpoint. Deviations: two views, no small
    crops beside them; the target's temperature is constant; the prototypes step from the first step on. In the paper
    the sum over both orders is not halved.
    """

    settings: DINOSettings

    def __init__(self, settings: DINOSettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, projector(settings, layers=3))
        self.prototypes = Prototypes(settings.outputs, settings.prototypes)
        self.target = target(self.backbone, self.projector, self.prototypes)
        self.centre: Tensor
        self.register_buffer("centre", torch.zeros(settings.prototypes))

    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        s = self.settings
        follow(self.target, (self.backbone, self.projector, self.prototypes), rising(s.decay, s.decay_end, batch))
        with torch.no_grad():
            t1, t2 = self.target(first).float(), self.target(second).float()
        s1, s2 = (self.prototypes(self.project(images)) for images in (first, second))
        centre = self.centre.clone()
        crossed = [cross_entropy(t - centre, s_, s.target_temperature, s.temperature) for t, s_ in ((t1, s2), (t2, s1))]
        if s.centring:
            self.recentre(torch.cat([t1, t2]))
        loss = (crossed[0] + crossed[1]) / 2
        return Loss(loss, {"cross_entropy": loss})

    @torch.no_grad()
    def recentre(self, logits: Answers) -> None:
        """centre <- m centre + (1 - m) mean over the views of all processes (Eq. 4)."""
        self.centre.lerp_(gather(logits).mean(0), 1 - self.settings.centre_decay)


class Prototypes(nn.Module):
    """The cosine of each code with each prototype."""

    def __init__(self, dim: int, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, dim) / sqrt(dim))

    def forward(self, codes: Codes) -> Answers:
        return unit_length(codes) @ unit_length(self.weight).T


def cross_entropy(teacher: Answers, student: Answers, teacher_temperature: float, temperature: float) -> Scalar:
    """H(P_t, P_s) = -sum P_t log P_s, mean over the batch (Eq. 2)."""
    P = (teacher / teacher_temperature).softmax(1)
    return -(P * functional.log_softmax(student / temperature, 1)).sum(1).mean()


def build(settings: DINOSettings, foundation: Foundation) -> DINO:
    return DINO(settings, foundation)


METHOD = MethodDefinition(settings=DINOSettings, build=build, presets=PRESETS, citation=CITATION, check=check)
