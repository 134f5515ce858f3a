"""BYOL: a network predicts what a slow copy of itself says of another view.

Grill et al., "Bootstrap your own latent: a new approach to self-supervised learning", NeurIPS 2020, arXiv:2006.07733.
"""

from typing import Literal

import torch
from pydantic import Field

from unweave.method import Batch, Loss, MethodDefinition
from unweave.methods._contrastive import (
    Codes,
    Contrastive,
    ContrastiveSettings,
    check,
    cosine,
    follow,
    predictor,
    presets,
    projector,
    rising,
    target,
)
from unweave.models.foundation import Foundation
from unweave.tensors import Images, Scalar

CITATION = """@inproceedings{grill2020bootstrap,
  title     = {Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning},
  author    = {Grill, Jean-Bastien and Strub, Florian and Altch{\\'e}, Florent and Tallec, Corentin and others},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2020},
  note      = {arXiv:2006.07733}
}"""


class BYOLSettings(ContrastiveSettings):
    name: Literal["byol"] = "byol"
    predictor: int = Field(512, ge=0, description="width of the predictor's hidden layer; 0: no predictor")
    decay: float = Field(0.996, ge=0, le=1, description="of the moving target at the start; 0: the network itself")
    decay_end: float = Field(0.996, ge=0, le=1, description="at the end of the budget, along a cosine; paper: 1")


PRESETS = presets(
    laptop={"predictor": 256, "decay": 0.98, "decay_end": 1.0},
    published={"hidden": 4096, "outputs": 256, "predictor": 4096, "decay": 0.99, "decay_end": 1.0},
    training={"optimiser": "lars", "rate": 1.0, "weight_decay": 1e-5},
    views={"solarise": 0.2},
)


class BYOL(Contrastive):
    """Loss: 2 - 2 cos(q(z), z') for both orders of the views (Eq. 2 of the paper), z' of the moving target.

    The code is the backbone's output; the predictor q and the projector are the loss's. The target moves where a step
    begins, which is after the step before. Deviation: it starts as a copy of the network, as in other implementations.
    """

    settings: BYOLSettings

    def __init__(self, settings: BYOLSettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, projector(settings))
        self.predictor = predictor(settings, settings.predictor) if settings.predictor else torch.nn.Identity()
        self.target = target(self.backbone, self.projector)

    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        s = self.settings
        follow(self.target, (self.backbone, self.projector), rising(s.decay, s.decay_end, batch))
        with torch.no_grad():
            towards = [self.target(second).float(), self.target(first).float()]
        predicted = [self.predictor(self.project(images)).float() for images in (first, second)]
        loss = sum((regression(p, z) for p, z in zip(predicted, towards)), torch.zeros((), device=first.device))
        return Loss(loss, {"regression": loss})


def regression(prediction: Codes, projection: Codes) -> Scalar:
    """The squared distance of unit vectors, 2 - 2 cos (Eq. 2), mean over the batch."""
    return 2 - 2 * cosine(prediction, projection)


def build(settings: BYOLSettings, foundation: Foundation) -> BYOL:
    return BYOL(settings, foundation)


METHOD = MethodDefinition(settings=BYOLSettings, build=build, presets=PRESETS, citation=CITATION, check=check)
