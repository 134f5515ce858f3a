"""DOT-VAE: the latents of a structured code are opened one after another, and interventions on them must look real.

Patil, Evanusa, JaJa, "DOT-VAE: Disentangling One Factor at a Time", 2022, arXiv:2210.10920. Stated after an earlier
text of the same work, under the name OAT; equation numbers are of that text.

The paper's: the two codes, the pre-training without the structured one, the opening of its latents one at a time, the
two steps and their terms, and that beta rises. Ours, for the text does not give them: when latents open, how far and
when beta rises, the sizes of the codes, the weights within step 2, and the preset `laptop`.
"""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import NamedSettings, SettingsError
from unweave.method import Batch, Generative, Loss, MethodDefinition, Player, Sampling, Start
from unweave.methods._vae import (
    SWEEP,
    Posterior,
    ScalarCodes,
    kl,
    kl_by_unit,
    log_normal,
    negative_log_likelihood,
    sample_posterior,
)
from unweave.models import vae
from unweave.models.critic import image_critic
from unweave.models.foundation import Foundation
from unweave.tensors import Images, Units

CITATION = """@misc{patil2022dotvae,
  title         = {{DOT-VAE}: Disentangling One Factor at a Time},
  author        = {Patil, Vaishnavi and Evanusa, Matthew and JaJa, Joseph},
  year          = {2022},
  eprint        = {2210.10920},
  archivePrefix = {arXiv}
}"""


class DOTVAESettings(NamedSettings):
    """Images are counted as training counts them; defaults are those of the preset `laptop`."""

    name: Literal["dotvae"] = "dotvae"
    units: int = Field(10, ge=1, description="latents of the structured code z1, an upper bound on the factors")
    rest: int = Field(10, ge=1, description="latents of the unstructured code z2")
    deviation: float | None = Field(
        None, gt=0, description="p(x|z) is normal with this deviation, pixels in [0, 1]; None: Bernoulli"
    )
    pretraining: int = Field(60_000, ge=0, description="images before the first latent of z1 opens")
    every: int = Field(24_000, ge=0, description="images between two openings; 0 opens all latents at once")
    beta: float = Field(1.0, ge=0, description="weight of the KL of z2 at the beginning")
    beta_end: float = Field(16.0, ge=0, description="the same at the end of its rise")
    rise_after: int = Field(
        60_000, ge=0, description="images before beta rises, and moves what z2 holds into opened latents"
    )
    rise: int = Field(300_000, ge=1, description="images over which beta rises linearly")
    interventions: bool = Field(True, description="step 2; without it z1 is only opened")
    reencoding: float = Field(0.1, ge=0, description="weight of re-encoding both codes in step 2")
    adversary: float = Field(0.1, ge=0, description="weight of the critic in step 2; beta multiplies it (Eq. 6)")
    change_to: Literal["prior", "permute"] = Field(
        "prior", description="a latent is changed to a draw from N(0, 1) (paper), or to that of another image"
    )


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {
        "method": {"pretraining": 3_200_000, "every": 1_280_000, "rise_after": 3_200_000, "rise": 16_000_000,
                   "beta_end": 20.0, "reencoding": 1.0, "adversary": 1.0},
        "training": {**SWEEP["sweep"]["training"], "rates": {"critic": 2e-4}},
    },
    "laptop": {
        **SWEEP["laptop"],
        "training": {**SWEEP["laptop"]["training"], "rates": {"critic": 2e-3}},
    },
}  # fmt: skip
"""`paper` trains as the sweep does, which the text follows; its schedule and weights are ours."""


class Posteriors(NamedTuple):
    structured: Posterior
    rest: Posterior


class DOTVAE(Generative):
    """Loss: step 1 + step 2, with k latents of z1 opened; those that are not are 0 for the decoder.

    - step 1 (Eq. 5), on images: -log p(x|z1, z2) + beta KL(q(z2|x) || N(0, I)) + Σ KL(q(z1_i|x) || N(0, 1)) over the
      opened i
    - step 2 (Eq. 6), on x_hat = D(z'), z' a posterior sample of which one opened latent was changed:
      w_re (-log q(z1'|x_hat) - log q(z2|x_hat)) + w_a beta softplus(-A(x_hat)), where the codes are constants

    A is a critic between images and x_hat, the second player (`InterventionCritic`). The units are the means of z1, 0
    where they are not opened; z2 is what decoding starts from, as x_T is of a diffusion model.

    Deviations: both steps make one step of the optimiser, where the paper alternates; the networks are the sweep's,
    whose last hidden layer is 256 wide instead of 128 and has a ReLU.
    """

    def __init__(
        self, settings: DOTVAESettings, encoder: nn.Module, decoder: nn.Module, critic: nn.Module | None
    ) -> None:
        """`encoder` gives means and log-variances of both codes, `critic` one logit an image (None: no step 2)."""
        super().__init__()
        self.settings, self.encoder, self.decoder, self.critic = settings, encoder, decoder, critic
        self.opened: Tensor
        self.register_buffer("opened", torch.tensor(0))

    def players(self) -> list[Player]:
        dotvae = Player("dotvae", self, [*self.encoder.parameters(), *self.decoder.parameters()])
        if self.critic is None:
            return [dotvae]
        return [dotvae, Player("critic", InterventionCritic(self), list(self.critic.parameters()), betas=(0.5, 0.9))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s = self.settings
        self.opened.fill_(opened_at(s, batch.seen))
        beta = beta_at(s, batch.seen)
        codes = self.posteriors(batch.images)
        z1 = sample_posterior(codes.structured, rng) * self.mask()
        z2 = sample_posterior(codes.rest, rng)
        reconstruction = negative_log_likelihood(batch.images, self.logits(z1, z2), s.deviation)
        each = kl_by_unit(codes.structured).mean(0) * self.mask()
        rest = kl(codes.rest)
        total = reconstruction + beta * rest + each.sum()
        terms = {"reconstruction": reconstruction, "kl_rest": rest, **{f"kl_{i}": kl for i, kl in enumerate(each)}}
        if self.critic is not None and self.opened > 0:
            changed = self.intervene(z1.detach(), rng)
            pictures = self.images(changed, z2.detach())
            again = self.posteriors(pictures)
            likelihoods = log_normal(changed, again.structured) * self.mask(), log_normal(z2.detach(), again.rest)
            terms["reencoding"] = -sum((part.sum(1).mean() for part in likelihoods), z1.new_zeros(()))
            terms["adversary"] = functional.softplus(-self.critic(pictures).float()).mean()
            total = total + s.reencoding * terms["reencoding"] + s.adversary * beta * terms["adversary"]
        return Loss(total, terms)

    def intervene(self, z1: ScalarCodes, rng: torch.Generator) -> ScalarCodes:
        """z1 with one of the opened latents of each image changed; as it is where none is open."""
        opened = int(self.opened)
        if opened == 0:
            return z1
        k = torch.randint(opened, (len(z1), 1), generator=rng, device=rng.device).to(z1.device)
        if self.settings.change_to == "prior":
            return z1.scatter(1, k, torch.randn(k.shape, generator=rng, device=rng.device).to(z1))
        other = torch.randint(len(z1), (len(z1),), generator=rng, device=rng.device).to(z1.device)
        return z1.scatter(1, k, z1[other].gather(1, k))

    def mask(self) -> Float[Tensor, "unit"]:
        """1 for the opened latents of z1."""
        return (torch.arange(self.settings.units, device=self.opened.device) < self.opened).float()

    def posteriors(self, images: Images) -> Posteriors:
        with torch.autocast(images.device.type, enabled=False):
            s = self.settings
            m1, v1, m2, v2 = self.encoder(images).split([s.units, s.units, s.rest, s.rest], dim=1)
            return Posteriors(Posterior(m1, v1), Posterior(m2, v2))

    def logits(self, z1: Float[Tensor, "image unit"], z2: Float[Tensor, "image rest"]) -> Images:
        return self.decoder(torch.cat([z1, z2], 1)).float()

    def images(self, z1: Float[Tensor, "image unit"], z2: Float[Tensor, "image rest"]) -> Images:
        return self.logits(z1, z2).sigmoid() * 2 - 1

    def encode(self, images: Images) -> Units:
        return (self.posteriors(images).structured.mean * self.mask()).unsqueeze(-1)

    def start(self, count: int, rng: torch.Generator) -> Start:
        noise = torch.randn(count, self.settings.rest, generator=rng, device=rng.device)
        return noise.to(self.opened.device)

    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        return self.posteriors(images).rest.mean

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.images(units.squeeze(-1) * self.mask(), start)


class InterventionCritic(nn.Module):
    """Loss: the critic's cross-entropy between images and pictures of which one opened latent was changed."""

    def __init__(self, dotvae: DOTVAE) -> None:
        super().__init__()
        self.dotvae = dotvae

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        with torch.no_grad():
            codes = self.dotvae.posteriors(batch.images)
            z1 = sample_posterior(codes.structured, rng) * self.dotvae.mask()
            pictures = self.dotvae.images(self.dotvae.intervene(z1, rng), sample_posterior(codes.rest, rng))
        assert self.dotvae.critic is not None
        real, made = self.dotvae.critic(batch.images).float(), self.dotvae.critic(pictures).float()
        loss = 0.5 * (functional.softplus(-real).mean() + functional.softplus(made).mean())
        return Loss(loss, {"cross_entropy": loss})


def opened_at(settings: DOTVAESettings, seen: int) -> int:
    """How many latents of z1 are open once so many images were seen."""
    if seen < settings.pretraining:
        return 0
    if settings.every == 0:
        return settings.units
    return min(settings.units, 1 + (seen - settings.pretraining) // settings.every)


def beta_at(settings: DOTVAESettings, seen: int) -> float:
    """The weight of the KL of z2."""
    done = min(1.0, max(0.0, (seen - settings.rise_after) / settings.rise))
    return settings.beta + done * (settings.beta_end - settings.beta)


def check(settings: DOTVAESettings, foundation: Foundation, batch: int, images: int) -> None:
    """Raises SettingsError where training ends before the last latent opens."""
    last = settings.pretraining + (settings.units - 1) * settings.every
    if last >= images:
        can = opened_at(settings, images - 1)
        raise SettingsError(
            f"method.units={settings.units} latents open one every {settings.every:,} images after "
            f"{settings.pretraining:,}, the last at {last:,}, and training.images={images:,} is over before: only "
            f"{can} would be opened. Lower method.units, method.every or method.pretraining, or raise training.images."
        )


def build(settings: DOTVAESettings, foundation: Foundation) -> DOTVAE:
    """With the networks of the sweep, and the critic of InfoGAN-CR, which the text names. Raises SettingsError for a
    single image."""
    if foundation.rows < 2:
        raise SettingsError(
            f"latents say how images differ, and the set has {foundation.rows}: dotvae needs at least 2 images."
        )
    encoder = vae.encoder(foundation.shape, 2 * (settings.units + settings.rest))
    decoder = vae.decoder(foundation.shape, settings.units + settings.rest)
    return DOTVAE(settings, encoder, decoder, image_critic(foundation.shape) if settings.interventions else None)


METHOD = MethodDefinition(settings=DOTVAESettings, build=build, presets=PRESETS, citation=CITATION, check=check)
