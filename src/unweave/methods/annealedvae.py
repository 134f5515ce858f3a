"""AnnealedVAE: the KL term is held at a capacity that grows during training.

Burgess et al., "Understanding disentangling in beta-VAE", 2018, arXiv:1804.03599, Eq. 8.
Networks, loss and optimiser are those of the disentanglement_lib sweep (arXiv:1811.12359).
"""

from typing import Any, Literal

from pydantic import Field

from unweave.config import NamedSettings
from unweave.method import Batch, MethodDefinition, Player
from unweave.methods._vae import SWEEP, Posterior, Regulariser, ScalarCodes, Variational, kl
from unweave.models.foundation import Foundation

CITATION = """@article{burgess2018understanding,
  title   = {Understanding disentangling in beta-{VAE}},
  author  = {Burgess, Christopher P. and Higgins, Irina and Pal, Arka and Matthey, Loic and Watters, Nick
             and Desjardins, Guillaume and Lerchner, Alexander},
  journal = {arXiv:1804.03599},
  year    = {2018}
}"""


class AnnealedVAESettings(NamedSettings):
    """The sweep's capacities are 5, 10, 25, 50, 75 and 100 nats."""

    name: Literal["annealedvae"] = "annealedvae"
    units: int = Field(10, ge=1, description="number of units N")
    capacity: float = Field(25.0, ge=0, description="KL at the end of the rise, in nats")
    gamma: float = Field(1000.0, ge=0, description="weight of the distance from the capacity")
    rise: int = Field(6_400_000, ge=1, description="images over which the capacity rises; the sweep's 100,000 steps")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "sweep": SWEEP["sweep"],
    "laptop": {**SWEEP["laptop"], "method": {"rise": 133_000}},  # a third of the budget, as in the sweep
}


class AnnealedVAE(Variational):
    """Loss: -log p(x|z) + gamma |KL(q(z|x) || p(z)) - C| (Eq. 8 of the paper).

    C rises linearly with the images seen, from 0 to `capacity`.
    """

    def __init__(self, settings: AnnealedVAESettings, foundation: Foundation) -> None:
        super().__init__(foundation.shape, settings.units)
        self.settings = settings

    def players(self) -> list[Player]:
        return [Player("vae", self, list(self.parameters()))]

    def regulariser(self, posterior: Posterior, z: ScalarCodes, batch: Batch) -> Regulariser:
        s = self.settings
        capacity = s.capacity * min(1.0, batch.seen / s.rise)
        divergence = kl(posterior)
        return Regulariser(s.gamma * (divergence - capacity).abs(), {"kl": divergence})


def build(settings: AnnealedVAESettings, foundation: Foundation) -> AnnealedVAE:
    return AnnealedVAE(settings, foundation)


METHOD = MethodDefinition(
    settings=AnnealedVAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True
)
