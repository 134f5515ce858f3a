"""FactorVAE: a critic estimates the total correlation of the code, and the VAE lowers it.

Kim & Mnih, "Disentangling by factorising", ICML 2018, arXiv:1802.05983. Networks, loss and optimiser are those of
the disentanglement_lib sweep (arXiv:1811.12359).
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import NamedSettings
from unweave.method import Batch, Loss, MethodDefinition, Player
from unweave.methods._vae import SWEEP, Posterior, Regulariser, ScalarCodes, Variational, kl, sample_posterior
from unweave.models.critic import mlp_critic
from unweave.models.foundation import Foundation
from unweave.tensors import Scalar

CITATION = """@inproceedings{kim2018disentangling,
  title     = {Disentangling by Factorising},
  author    = {Kim, Hyunjik and Mnih, Andriy},
  booktitle = {International Conference on Machine Learning},
  year      = {2018},
  note      = {arXiv:1802.05983}
}"""


class FactorVAESettings(NamedSettings):
    """The sweep's values of gamma are 10, 20, 30, 40, 50 and 100."""

    name: Literal["factorvae"] = "factorvae"
    units: int = Field(10, ge=1, description="number of units N")
    gamma: float = Field(30.0, ge=0, description="weight of the total correlation; 0 is a plain VAE")
    critic_width: int = Field(1000, ge=1, description="width of the critic's six hidden layers")


Logits = Float[Tensor, "batch 2"]
"""Joint, shuffled."""

PRESETS: dict[str, dict[str, dict[str, Any]]] = SWEEP


class FactorVAE(Variational):
    """Loss of the VAE: -log p(x|z) + KL(q(z|x) || p(z)) + gamma TC(z) (Eq. 2 of the paper).

    TC(z) is the mean of the critic's log-odds that z was not shuffled. The critic is the second player (`CodeCritic`).
    Deviation from the paper, shared with the sweep: both see one batch, where the paper takes a second one. The
    critic's code is sampled anew after the step of the VAE, where the sweep steps both on one sample.
    """

    def __init__(self, settings: FactorVAESettings, foundation: Foundation) -> None:
        super().__init__(foundation.shape, settings.units)
        self.settings = settings
        self.critic = mlp_critic(settings.units, settings.critic_width)

    def players(self) -> list[Player]:
        vae = [*self.encoder.parameters(), *self.decoder.parameters()]
        critic = Player("critic", CodeCritic(self), list(self.critic.parameters()), betas=(0.5, 0.9))
        return [Player("vae", self, vae), critic]

    def regulariser(self, posterior: Posterior, z: ScalarCodes, batch: Batch) -> Regulariser:
        divergence, correlation = kl(posterior), total_correlation(self.critic(z).float())
        total = divergence + self.settings.gamma * correlation
        return Regulariser(total, {"kl": divergence, "total_correlation": correlation})


class CodeCritic(nn.Module):
    """Loss: the critic's cross-entropy between codes (class 0) and codes shuffled over the batch, unit by unit (1)."""

    def __init__(self, vae: FactorVAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        with torch.no_grad():
            z = sample_posterior(self.vae.posterior(batch.to_encode), rng)
        joint, shuffled = self.vae.critic(z).float(), self.vae.critic(shuffle(z, rng)).float()
        loss = 0.5 * (cross_entropy(joint, 0) + cross_entropy(shuffled, 1))
        return Loss(loss, {"cross_entropy": loss})


def total_correlation(logits: Logits) -> Scalar:
    """E[log D(z) / (1 - D(z))], the density ratio between q(z) and the product of its marginals (Eq. 3)."""
    return (logits[:, 0] - logits[:, 1]).mean()


def shuffle(z: ScalarCodes, rng: torch.Generator) -> ScalarCodes:
    """Every unit permuted over the batch by itself: samples of the product of marginals (Algorithm 1)."""
    order = torch.rand(z.shape, generator=rng, device=rng.device).argsort(0).to(z.device)
    return z.gather(0, order)


def cross_entropy(logits: Logits, truth: int) -> Scalar:
    return functional.cross_entropy(logits, torch.full((len(logits),), truth, device=logits.device))


def build(settings: FactorVAESettings, foundation: Foundation) -> FactorVAE:
    return FactorVAE(settings, foundation)


METHOD = MethodDefinition(settings=FactorVAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
