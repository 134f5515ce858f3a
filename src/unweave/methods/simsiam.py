"""SimSiam: BYOL without a slow copy; what stops the collapse is that one side takes no gradient.

Chen & He, "Exploring simple Siamese representation learning", CVPR 2021, arXiv:2011.10566.
"""

from typing import Literal

from pydantic import Field

from unweave.method import Batch, Loss, MethodDefinition
from unweave.methods._contrastive import (
    Codes,
    Contrastive,
    ContrastiveSettings,
    check,
    cosine,
    predictor,
    presets,
    projector,
)
from unweave.models.foundation import Foundation
from unweave.tensors import Images, Scalar

CITATION = """@inproceedings{chen2021exploring,
  title     = {Exploring Simple {Siamese} Representation Learning},
  author    = {Chen, Xinlei and He, Kaiming},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year      = {2021},
  note      = {arXiv:2011.10566}
}"""


class SimSiamSettings(ContrastiveSettings):
    name: Literal["simsiam"] = "simsiam"
    predictor: int = Field(
        128, ge=1, description="width of the predictor's hidden layer, a quarter of its ends or less"
    )
    stop_gradient: bool = Field(True, description="false: both sides take the gradient, and the code collapses")


PRESETS = presets(
    laptop={"predictor": 32},
    published={"hidden": 2048, "outputs": 2048, "predictor": 512},
    training={"optimiser": "sgd", "rate": 0.5, "weight_decay": 1e-5},
    views={"blur": 0.5, "contrast": 0.4, "saturation": 0.4},
)


class SimSiam(Contrastive):
    """Loss: D(p1, z2) / 2 + D(p2, z1) / 2 with D the negative cosine, z without gradient (Eq. 1 to 4 of the paper).

    p is the prediction from one view, z the projection of the other, whose last layer is batch-normalised.
    """

    settings: SimSiamSettings

    def __init__(self, settings: SimSiamSettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, projector(settings, layers=3, ends_in_norm=True))
        self.predictor = predictor(settings, settings.predictor)

    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        z1, z2 = self.project(first), self.project(second)
        p1, p2 = self.predictor(z1), self.predictor(z2)
        if self.settings.stop_gradient:
            z1, z2 = z1.detach(), z2.detach()
        loss = negative_cosine(p1, z2) / 2 + negative_cosine(p2, z1) / 2
        return Loss(loss, {"negative_cosine": loss})


def negative_cosine(prediction: Codes, projection: Codes) -> Scalar:
    """D(p, z) (Eq. 1), mean over the batch, in [-1, 1]."""
    return -cosine(prediction, projection)


def build(settings: SimSiamSettings, foundation: Foundation) -> SimSiam:
    return SimSiam(settings, foundation)


METHOD = MethodDefinition(settings=SimSiamSettings, build=build, presets=PRESETS, citation=CITATION, check=check)
