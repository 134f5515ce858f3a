"""DIP-VAE-I and -II: a VAE whose aggregate posterior is pulled towards an uncorrelated one.

Kumar, Sattigeri, Balakrishnan, "Variational inference of disentangled latent concepts from unlabeled
observations", ICLR 2018, arXiv:1711.00848. Networks, loss and optimiser are those of the disentanglement_lib sweep
(arXiv:1811.12359).
"""

from typing import Any, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from unweave.config import NamedSettings
from unweave.method import Batch, MethodDefinition, Player
from unweave.methods._vae import SWEEP, Posterior, Regulariser, ScalarCodes, Variational, kl
from unweave.models.foundation import Foundation
from unweave.tensors import Scalar

CITATION = """@inproceedings{kumar2018variational,
  title     = {Variational Inference of Disentangled Latent Concepts from Unlabeled Observations},
  author    = {Kumar, Abhishek and Sattigeri, Prasanna and Balakrishnan, Avinash},
  booktitle = {International Conference on Learning Representations},
  year      = {2018},
  note      = {arXiv:1711.00848}
}"""


class DIPVAESettings(NamedSettings):
    """The sweep's values of off_diagonal are 1, 2, 5, 10, 20 and 50, with a diagonal of 10 times (I) or once (II)."""

    name: Literal["dipvae"] = "dipvae"
    units: int = Field(10, ge=1, description="number of units N")
    variant: Literal["I", "II"] = Field("I", description="covariance of the posterior means (I) or of the samples (II)")
    off_diagonal: float = Field(10.0, ge=0, description="weight of squared covariances of two units")
    diagonal: float | None = Field(
        None,
        ge=0,
        description="weight of squared distances of variances from 1; 10 times off_diagonal in I, once in II",
    )


PRESETS: dict[str, dict[str, dict[str, Any]]] = SWEEP


class DIPVAE(Variational):
    """Loss: -log p(x|z) + KL + off_diagonal sum_{i != j} C_ij^2 + diagonal sum_i (C_ii - 1)^2 (Eq. 6 and 7).

    C is the batch's covariance of the posterior means (I), or that plus the mean posterior variance (II).
    """

    def __init__(self, settings: DIPVAESettings, foundation: Foundation) -> None:
        super().__init__(foundation.shape, settings.units)
        self.settings = settings
        ratio = 10.0 if settings.variant == "I" else 1.0
        self.diagonal = ratio * settings.off_diagonal if settings.diagonal is None else settings.diagonal

    def players(self) -> list[Player]:
        return [Player("vae", self, list(self.parameters()))]

    def regulariser(self, posterior: Posterior, z: ScalarCodes, batch: Batch) -> Regulariser:
        means = covariance(posterior.mean)
        aggregate = means if self.settings.variant == "I" else means + posterior.log_variance.exp().mean(0).diag()
        on, off = identity_distances(aggregate)
        divergence = kl(posterior)
        total = divergence + self.diagonal * on + self.settings.off_diagonal * off
        return Regulariser(total, {"kl": divergence, "diagonal": on, "off_diagonal": off})


def covariance(mean: ScalarCodes) -> Float[Tensor, "unit unit"]:
    """E[mu mu^T] - E[mu] E[mu]^T over the batch."""
    centred = mean - mean.mean(0)
    return centred.T @ centred / len(mean)


def identity_distances(covariance: Float[Tensor, "unit unit"]) -> tuple[Scalar, Scalar]:
    """Squared distances from the identity: of the diagonal, and of the rest."""
    variances = covariance.diagonal()
    return (variances - 1).square().sum(), covariance.square().sum() - variances.square().sum()


def build(settings: DIPVAESettings, foundation: Foundation) -> DIPVAE:
    return DIPVAE(settings, foundation)


METHOD = MethodDefinition(settings=DIPVAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
