"""beta-TCVAE: the KL term split, and its total correlation weighed by beta.

Chen, Li, Grosse, Duvenaud, "Isolating sources of disentanglement in variational autoencoders", NeurIPS 2018,
arXiv:1802.04942. Networks, loss and optimiser are those of the disentanglement_lib sweep (arXiv:1811.12359).
"""

from typing import Any, Literal

from pydantic import Field
from torch import logsumexp

from unweave.config import NamedSettings
from unweave.method import Batch, MethodDefinition, Player
from unweave.methods._vae import SWEEP, Posterior, Regulariser, ScalarCodes, Variational, kl, log_densities
from unweave.models.foundation import Foundation
from unweave.tensors import Scalar

CITATION = """@inproceedings{chen2018isolating,
  title     = {Isolating Sources of Disentanglement in Variational Autoencoders},
  author    = {Chen, Ricky T. Q. and Li, Xuechen and Grosse, Roger and Duvenaud, David},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2018},
  note      = {arXiv:1802.04942}
}"""


class BetaTCVAESettings(NamedSettings):
    """The sweep's values of beta are 1, 2, 4, 6, 8 and 10."""

    name: Literal["betatcvae"] = "betatcvae"
    units: int = Field(10, ge=1, description="number of units N")
    beta: float = Field(6.0, ge=1, description="weight of the total correlation; 1 is a plain VAE")


PRESETS: dict[str, dict[str, dict[str, Any]]] = SWEEP


class BetaTCVAE(Variational):
    """Loss: -log p(x|z) + KL(q(z|x) || p(z)) + (beta - 1) TC(z) (Eq. 4 of the paper, alpha = gamma = 1).

    As in the sweep, TC is estimated from the batch alone, without the size of the data set. The
    paper's minibatch-weighted sampling (its Eq. 5) differs by a constant, which has no gradient.
    """

    def __init__(self, settings: BetaTCVAESettings, foundation: Foundation) -> None:
        super().__init__(foundation.shape, settings.units)
        self.settings = settings

    def players(self) -> list[Player]:
        return [Player("vae", self, list(self.parameters()))]

    def regulariser(self, posterior: Posterior, z: ScalarCodes, batch: Batch) -> Regulariser:
        divergence, correlation = kl(posterior), total_correlation(posterior, z)
        total = divergence + (self.settings.beta - 1) * correlation
        return Regulariser(total, {"kl": divergence, "total_correlation": correlation})


def total_correlation(posterior: Posterior, z: ScalarCodes) -> Scalar:
    """E[log q(z) - sum over units of log q(z_j)] up to a constant; q(z) is the mixture of the batch's posteriors."""
    densities = log_densities(z, posterior)  # (sample, image, unit)
    joint = logsumexp(densities.sum(2), 1)
    marginals = logsumexp(densities, 1).sum(1)
    return (joint - marginals).mean()


def build(settings: BetaTCVAESettings, foundation: Foundation) -> BetaTCVAE:
    return BetaTCVAE(settings, foundation)


METHOD = MethodDefinition(settings=BetaTCVAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
