"""W-MSE: projections are whitened, so that they cannot all be the same, and two views must agree.

Ermolov et al., "Whitening for self-supervised representation learning", ICML 2021, arXiv:2007.06346.
"""

from typing import Literal

import torch
from pydantic import Field

from unweave.config import SettingsError
from unweave.devices import double
from unweave.method import Batch, Loss, MethodDefinition
from unweave.methods import _contrastive
from unweave.methods._contrastive import Codes, Contrastive, ContrastiveSettings, cosine, generator, presets, projector
from unweave.models.foundation import Foundation
from unweave.models.gathered import gather
from unweave.tensors import Images, Scalar

CITATION = """@inproceedings{ermolov2021whitening,
  title     = {Whitening for Self-Supervised Representation Learning},
  author    = {Ermolov, Aleksandr and Siarohin, Aliaksandr and Sangineto, Enver and Sebe, Nicu},
  booktitle = {International Conference on Machine Learning},
  year      = {2021},
  note      = {arXiv:2007.06346}
}"""


class WMSESettings(ContrastiveSettings):
    name: Literal["wmse"] = "wmse"
    outputs: int = Field(
        64, ge=2, description="numbers of the projector's output; a sub-batch needs twice as many images"
    )
    sub_batch: int = Field(128, ge=2, description="images whose projections are whitened together")
    whitening: bool = Field(True, description="false: the loss of the projections as they are, which collapse")
    shrink: float = Field(1e-4, ge=0, lt=1, description="part of the covariance that is replaced by the identity")


PRESETS = presets(
    laptop={"outputs": 32, "sub_batch": 64},
    published={"hidden": 1024, "outputs": 64, "sub_batch": 128, "shrink": 0.0},
    training={"rate": 2e-3, "weight_decay": 1e-6},
    views={"crop": 0.2, "brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2},
)


class WMSE(Contrastive):
    """Loss: 2 - 2 cos of the whitened projections of two views, mean over the batch.

    That is the mean squared error of unit vectors, under the constraint that the covariance is the identity (Eq. 1 of
    the paper), which whitening by the Cholesky factor of the covariance holds to. The batch, gathered from all
    processes, is cut into random sub-batches (the paper's Section 3.1), each view of each whitened by itself; images
    that fill none are left out of the loss. One random cut a step. `shrink` keeps the factor stable (0 in `published`).
    """

    settings: WMSESettings

    def __init__(self, settings: WMSESettings, foundation: Foundation) -> None:
        super().__init__(settings, foundation, projector(settings))

    def piece(self) -> int:
        return self.settings.sub_batch if self.settings.whitening else 0

    def objective(self, first: Images, second: Images, batch: Batch) -> Loss:
        s, z1, z2 = self.settings, gather(self.project(first)), gather(self.project(second))
        if s.whitening:
            order = torch.randperm(len(z1), generator=generator(batch)).to(z1.device)
            parts = order[: max(1, len(z1) // s.sub_batch) * s.sub_batch].split(s.sub_batch)
            shrink = s.shrink if len(parts[0]) > s.outputs else 0.5  # a last batch may be too small to invert
            z1, z2 = (torch.cat([whiten(z[part], shrink) for part in parts]) for z in (z1, z2))
        loss = distance(z1, z2)
        return Loss(loss, {"distance": loss})


def distance(first: Codes, second: Codes) -> Scalar:
    """The squared distance of unit vectors, 2 - 2 cos, mean over the batch."""
    return 2 - 2 * cosine(first, second)


def whiten(codes: Codes, shrink: float = 0.0) -> Codes:
    """L⁻¹ (z - mean), with L Lᵀ the (shrunk) covariance: its own covariance is the identity.

    Raises FloatingPointError for codes that are no numbers, or whose covariance has no Cholesky factor.
    """
    centred = double(codes - codes.mean(0))
    covariance = centred.T @ centred / max(1, len(codes) - 1)
    identity = torch.eye(covariance.shape[0], dtype=centred.dtype, device=centred.device)
    L, minor = torch.linalg.cholesky_ex((1 - shrink) * covariance + shrink * identity)
    if minor:
        what = "constant or follow from one another" if codes.isfinite().all() else "are not finite"
        raise FloatingPointError(
            f"{len(codes)} projections of {codes.shape[1]} numbers cannot be whitened with method.shrink={shrink:g}: "
            f"the numbers {what}. Set method.shrink=0.0001 or more, raise method.sub_batch, or lower training.rate."
        )
    return torch.linalg.solve_triangular(L, centred.T, upper=False).T.float()


def check(settings: WMSESettings, foundation: Foundation, batch: int, images: int) -> None:
    """As for all learners, and a sub-batch must have more images than there are dimensions to whiten."""
    _contrastive.check(settings, foundation, batch, images)
    if not settings.whitening:
        return
    if settings.sub_batch <= settings.outputs:
        raise SettingsError(
            f"a covariance of {settings.outputs} dimensions cannot be inverted from {settings.sub_batch} images: set "
            f"method.sub_batch={2 * settings.outputs} (twice method.outputs, as published) or fewer method.outputs."
        )
    if batch < settings.sub_batch:
        raise SettingsError(
            f"training.batch={batch} does not fill one sub-batch: raise it to method.sub_batch={settings.sub_batch} or "
            "more, or set fewer method.outputs and a smaller method.sub_batch."
        )


def build(settings: WMSESettings, foundation: Foundation) -> WMSE:
    return WMSE(settings, foundation)


METHOD = MethodDefinition(settings=WMSESettings, build=build, presets=PRESETS, citation=CITATION, check=check)
