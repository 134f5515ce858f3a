"""beta-VAE: a VAE whose KL term weighs beta.

Higgins et al., "beta-VAE: Learning basic visual concepts with a constrained variational framework", ICLR 2017.
Networks, loss and optimiser are those of the disentanglement_lib sweep (arXiv:1811.12359).
"""

from typing import Any, Literal

from pydantic import Field

from unweave.config import NamedSettings
from unweave.method import Batch, MethodDefinition, Player
from unweave.methods._vae import SWEEP, Posterior, Regulariser, ScalarCodes, Variational, kl
from unweave.models.foundation import Foundation

CITATION = """@inproceedings{higgins2017beta,
  title     = {beta-{VAE}: Learning Basic Visual Concepts with a Constrained Variational Framework},
  author    = {Higgins, Irina and Matthey, Loic and Pal, Arka and Burgess, Christopher and Glorot, Xavier
               and Botvinick, Matthew and Mohamed, Shakir and Lerchner, Alexander},
  booktitle = {International Conference on Learning Representations},
  year      = {2017}
}"""


class BetaVAESettings(NamedSettings):
    """The sweep's values of beta are 1, 2, 4, 6, 8 and 16; 1 is a plain VAE."""

    name: Literal["betavae"] = "betavae"
    units: int = Field(10, ge=1, description="number of units N")
    beta: float = Field(4.0, ge=0, description="weight of the KL term; 1 is a plain VAE")


PRESETS: dict[str, dict[str, dict[str, Any]]] = SWEEP


class BetaVAE(Variational):
    """Loss: -log p(x|z) + beta KL(q(z|x) || p(z)) (Eq. 4 of the paper, without its constant)."""

    def __init__(self, settings: BetaVAESettings, foundation: Foundation) -> None:
        super().__init__(foundation.shape, settings.units)
        self.settings = settings

    def players(self) -> list[Player]:
        return [Player("vae", self, list(self.parameters()))]

    def regulariser(self, posterior: Posterior, z: ScalarCodes, batch: Batch) -> Regulariser:
        divergence = kl(posterior)
        return Regulariser(self.settings.beta * divergence, {"kl": divergence})


def build(settings: BetaVAESettings, foundation: Foundation) -> BetaVAE:
    return BetaVAE(settings, foundation)


METHOD = MethodDefinition(settings=BetaVAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
