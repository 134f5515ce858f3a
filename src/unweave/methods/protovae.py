"""ProtoVAE: a VAE whose decoder must make the effect of each latent recognisable.

Patil, Evanusa, JaJa, "ProtoVAE: Prototypical Networks for Unsupervised Disentanglement", 2023, arXiv:2305.09092. (The
interpretable classifier of the same name, Gautam et al. 2022, is another method.)

The paper's: a VAE, pairs of pictures that differ in one actively changed latent, a prototypical network that must tell
from a pair which latent it was, and the re-encoding of the changed picture; its authors describe the method as one of
local isometry. Ours, for there is no public code and the text does not give them: every equation below, the networks,
all weights and schedules, what a latent is changed to, and the preset `laptop`.
"""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from unweave.config import NamedSettings, SettingsError
from unweave.method import Batch, Loss, MethodDefinition, OneShot, Player, Sampling, Start
from unweave.methods._vae import (
    SWEEP,
    Posterior,
    ScalarCodes,
    kl,
    kl_by_unit,
    negative_log_likelihood,
    sample_posterior,
)
from unweave.models import vae
from unweave.models.foundation import Foundation
from unweave.tensors import Images, Scalar, Units

CITATION = """@misc{patil2023protovae,
  title         = {{ProtoVAE}: Prototypical Networks for Unsupervised Disentanglement},
  author        = {Patil, Vaishnavi and Evanusa, Matthew and JaJa, Joseph},
  year          = {2023},
  eprint        = {2305.09092},
  archivePrefix = {arXiv}
}"""


class ProtoVAESettings(NamedSettings):
    """Defaults are those of the preset `laptop`, ours; `paper` has every term of the paper."""

    name: Literal["protovae"] = "protovae"
    units: int = Field(10, ge=2, description="number of units N")
    beta: float = Field(1.0, ge=0, description="weight of the KL term; 1 is a plain VAE")
    deviation: float | None = Field(
        None, gt=0, description="p(x|z) is normal with this deviation, pixels in [0, 1]; None: Bernoulli (the sweep)"
    )
    prototypes: float = Field(0.0, ge=0, description="weight of naming the changed latent by prototypes")
    isometry: float = Field(0.0, ge=0, description="weight of: the pair's embedding is as long as the change")
    reencoding: float = Field(0.1, ge=0, description="weight of re-encoding the changed code; 0 leaves it out")
    judge: Literal["frozen", "learning"] = Field(
        "frozen",
        description="re-encoding moves the codes alone ('frozen'), or decoder and encoder, too ('learning')",
    )
    change_to: Literal["permute", "prior"] = Field(
        "permute", description="a latent is changed to that of another image, or to a draw from N(0, 1)"
    )
    latents: int = Field(4, ge=2, description="latents changed in a step; those that are dead are left out")
    changes: int = Field(64, ge=8, description="changed pictures of a step, shared by those latents")
    after: int = Field(0, ge=0, description="images seen before the terms begin")
    rise: int = Field(0, ge=0, description="images over which their weights then rise")
    embedding: int = Field(64, ge=1, description="numbers that a pair of pictures is embedded in")

    @model_validator(mode="after")
    def _fits(self) -> "ProtoVAESettings":
        if self.changes < 4 * self.latents:
            raise SettingsError(
                f"method.changes={self.changes} is too few for method.latents={self.latents}: an episode needs two "
                f"examples and two questions of each, {4 * self.latents} in all; raise it or lower method.latents."
            )
        return self


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {
        "method": {
            "prototypes": 1.0, "isometry": 0.1, "reencoding": 1.0, "judge": "learning",
            "after": 3_200_000, "rise": 3_200_000,
        },
        "training": SWEEP["sweep"]["training"],
    },
    "laptop": {**SWEEP["laptop"], "method": {"after": 25_000, "rise": 25_000}},
}  # fmt: skip
"""`paper` has all terms of the paper; its weights are ours. `laptop` has what was found to help (docs/protovae.md)."""

DEAD = 0.01  # nats: a latent that says less is not asked for

Embeddings = Float[Tensor, "pair number"]


class Change(NamedTuple):
    """Codes of which one latent each was changed; as many of every latent, one latent after the other."""

    latents: int  # number of different latents
    k: Int[Tensor, "change"]  # the changed latent
    image: Int[Tensor, "change"]  # the image of the batch
    before: Float[Tensor, "change unit"]
    after: Float[Tensor, "change unit"]


class ProtoVAE(OneShot):
    """Loss: L_vae + w (w_p L_proto + w_i L_iso + w_r L_re), w rising from 0 to 1 (`after`, `rise`).

    z is a posterior sample, z' the same but for one latent k, which is taken from another image: a code turned against
    the factors then makes pictures that cannot be, which re-encoding may punish, while a draw from the prior does so
    for aligned codes, too. D is the decoder, E the mean of the encoder, P the embedding of a pair.

    - L_vae = -log p(x|z) + beta KL(q(z|x) || N(0, I))
    - L_proto: `prototypical` loss of h = P(D(z), D(z')); P changes its sign with the order of the pair
    - L_iso: `isometry` of |h| and |z'_k - z_k|
    - L_re = mean Σ_j ((E(D(z')) - z')_j / σ_j)², σ the posterior's deviation; with the judge 'frozen', D and E are
      constants in it and the codes alone move

    Naming the changed latent is possible from codes turned by any angle: L_proto near 0 is no sign of disentanglement.
    """

    def __init__(
        self, settings: ProtoVAESettings, encoder: nn.Module, decoder: nn.Module, pair: nn.Module | None
    ) -> None:
        """`encoder` gives means and log-variances, `pair` embeds two images stacked along their channels (None: no
        prototypes)."""
        super().__init__()
        self.settings, self.encoder, self.decoder, self.pair = settings, encoder, decoder, pair

    def players(self) -> list[Player]:
        return [Player("protovae", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s = self.settings
        posterior = self.posterior(batch.to_encode)
        z = sample_posterior(posterior, rng)
        reconstruction = negative_log_likelihood(batch.images, self.decoder(z).float(), s.deviation)
        divergence = kl(posterior)
        terms = {"reconstruction": reconstruction, "kl": divergence}
        total = reconstruction + s.beta * divergence
        if s.reencoding or self.pair is not None:
            added, more = self.changed_terms(posterior, z, rng)
            total, terms = total + share(s, batch.seen) * added, terms | more
        return Loss(total, terms)

    def changed_terms(
        self, posterior: Posterior, z: ScalarCodes, rng: torch.Generator
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """w_p L_proto + w_i L_iso + w_r L_re of codes of which one latent was changed, and the terms for the log."""
        s, terms = self.settings, dict[str, Scalar]()
        total = z.new_zeros(())
        change = change_latents(posterior, z, s, rng)
        if s.reencoding:
            deviation = (0.5 * posterior.log_variance[change.image]).exp().detach().clamp(min=0.02)
            error = (self.reencode(change.after) - change.after) / deviation
            terms["reencoding"] = error.square().sum(1).mean()
            total = total + s.reencoding * terms["reencoding"]
        if self.pair is not None:
            before, after = (self.images(codes) for codes in (change.before, change.after))
            h = self.pair(torch.cat([before, after], 1)) - self.pair(torch.cat([after, before], 1))
            step = (change.after - change.before).gather(1, change.k[:, None]).squeeze(1).detach()
            terms["prototypes"], terms["named"] = prototypical(h * step.sign()[:, None], change.latents)
            terms["isometry"] = isometry(h.norm(dim=1), step.abs())
            total = total + s.prototypes * terms["prototypes"] + s.isometry * terms["isometry"]
        return total, terms

    def reencode(self, codes: Float[Tensor, "change unit"]) -> Float[Tensor, "change unit"]:
        """E(D(z)); with the judge 'frozen' only the codes get a gradient."""
        if self.settings.judge == "learning":
            return self.posterior(self.images(codes)).mean
        images = frozen_call(self.decoder, codes).float().sigmoid() * 2 - 1
        with torch.autocast(images.device.type, enabled=False):
            return frozen_call(self.encoder, images).chunk(2, dim=1)[0]

    def posterior(self, images: Images) -> Posterior:
        with torch.autocast(images.device.type, enabled=False):
            return Posterior(*self.encoder(images).chunk(2, dim=1))

    def images(self, codes: Float[Tensor, "image unit"]) -> Float[Tensor, "image channel height width"]:
        """D(z), in [-1, 1]."""
        return self.decoder(codes).float().sigmoid() * 2 - 1

    def encode(self, images: Images) -> Units:
        return self.posterior(images).mean.unsqueeze(-1)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.images(units.squeeze(-1))


def uses_pairs(settings: ProtoVAESettings) -> bool:
    """Whether pairs of pictures are embedded."""
    return settings.prototypes > 0 or settings.isometry > 0


def share(settings: ProtoVAESettings, seen: int) -> float:
    """The share of the weights that is in force, in [0, 1]."""
    if seen < settings.after:
        return 0.0
    return min(1.0, (seen - settings.after) / settings.rise) if settings.rise else 1.0


def change_latents(posterior: Posterior, z: ScalarCodes, settings: ProtoVAESettings, rng: torch.Generator) -> Change:
    """Codes of random images, each with one latent changed. Latents below 0.01 nats are left out while two others say
    more, for naming their effect would force them to have one."""
    nats = kl_by_unit(posterior).detach().mean(0)
    alive = (nats > DEAD).nonzero().squeeze(1)
    if len(alive) < 2:
        alive = nats.topk(2).indices
    chosen = alive[torch.randperm(len(alive), generator=rng, device=rng.device).to(z.device)[: settings.latents]]
    each = settings.changes // len(chosen)
    k = chosen.repeat_interleave(each)
    image, other = torch.randint(len(z), (2, len(k)), generator=rng, device=rng.device).to(z.device)
    if settings.change_to == "permute":
        values = z[other, k]
    else:
        values = torch.randn(len(k), generator=rng, device=rng.device).to(z)
    before = z[image]
    return Change(len(chosen), k, image, before, before.scatter(1, k[:, None], values[:, None]))


def prototypical(h: Embeddings, latents: int) -> tuple[Scalar, Scalar]:
    """-log softmax over latents of -|h - c_k|², c_k the mean of the first half of latent k's embeddings, of the others;
    and the share of them that is nearest to its own. (Snell et al., arXiv:1703.05175, Eq. 2.)"""
    by_latent = h.unflatten(0, (latents, -1))
    half = by_latent.shape[1] // 2
    prototypes, queries = by_latent[:, :half].mean(1), by_latent[:, half:].flatten(0, 1)
    truth = torch.arange(latents, device=h.device).repeat_interleave(by_latent.shape[1] - half)
    logits = -(queries[:, None] - prototypes).square().sum(-1)
    return functional.cross_entropy(logits, truth), (logits.argmax(1) == truth).float().mean()


def isometry(length: Float[Tensor, "pair"], step: Float[Tensor, "pair"]) -> Scalar:
    """mean (|h| - a |step|)² / mean (a |step|)², a the slope of least squares: 0 where lengths are proportional."""
    slope = (length * step).sum() / step.square().sum().clamp(min=1e-12)
    return (length - slope * step).square().mean() / (slope * step).square().mean().clamp(min=1e-12)


def frozen_call(network: nn.Module, inputs: Tensor) -> Tensor:
    """The output of a network whose parameters are constants: a gradient reaches the inputs alone."""
    output: Tensor = functional_call(network, {name: p.detach() for name, p in network.named_parameters()}, (inputs,))
    return output


def build(settings: ProtoVAESettings, foundation: Foundation) -> ProtoVAE:
    """With the networks of the sweep, the encoder's also for pairs. Raises SettingsError for a set too small for an
    episode."""
    if foundation.rows < settings.changes:
        raise SettingsError(
            f"an episode of method.changes={settings.changes} pictures needs as many images, and the set has "
            f"{foundation.rows}: lower method.changes (at least {4 * settings.latents}) or add images."
        )
    channels, height, width = foundation.shape
    encoder = vae.encoder(foundation.shape, 2 * settings.units)
    decoder = vae.decoder(foundation.shape, settings.units)
    pair = vae.encoder((2 * channels, height, width), settings.embedding) if uses_pairs(settings) else None
    return ProtoVAE(settings, encoder, decoder, pair)


METHOD = MethodDefinition(settings=ProtoVAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
