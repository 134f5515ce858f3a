"""A VAE with a discrete unit, the class of a thing, beside continuous ones: its pose, and its style.

Discrete beside continuous units: Dupont, "Learning disentangled joint continuous and discrete representations"
(JointVAE), NeurIPS 2018, arXiv:1804.00104. Classes up to a change of pose: Frey & Jojic, "Transformation-invariant
clustering using the EM algorithm", TPAMI 25(1), 2003; Monnier, Groueix & Aubry, "Deep transformation-invariant
clustering", NeurIPS 2020, arXiv:2006.11132. Pictures as products of class and style: Tenenbaum & Freeman, "Separating
style and content with bilinear models", Neural Computation 12(6), 2000. A falling temperature against local optima:
Rose, "Deterministic annealing for clustering, compression, classification, regression, and related optimization
problems", Proceedings of the IEEE 86(11), 1998.

Ours: JointVAE's class is guessed by the encoder and sampled (Gumbel softmax), with capacities that are opened by a
schedule. Here no network guesses it: given the continuous units, the posterior over classes is exact, since pictures
of all classes cost one pass of the decoder for a whole batch, in which pose and style, which all classes share, come
last.
"""

from math import log, prod
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import NamedSettings
from unweave.method import Batch, Loss, MethodDefinition, NamedGroups, OneShot, Player, Sampling, Start
from unweave.methods._vae import SWEEP, Posterior, ScalarCodes, kl, sample_posterior
from unweave.models import vae
from unweave.models.foundation import Foundation
from unweave.models.pose import rotation, sample
from unweave.tensors import Images, Units

CITATION = """@inproceedings{dupont2018learning,
  title     = {Learning Disentangled Joint Continuous and Discrete Representations},
  author    = {Dupont, Emilien},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2018}
}"""

LINEAR = ("stretch_x", "stretch_y", "shear", "turn")
POSES: dict[str, tuple[str, ...]] = {"none": (), "linear": LINEAR, "affine": (*LINEAR, "x", "y")}
SPAN = 0.25  # of a pose unit at 1: logarithm of a stretch, shear, radians, halves of the side
HIDDEN = 32  # of the network from style to the weights of maps

Classwise = Float[Tensor, "batch class"]


class ClassVAESettings(NamedSettings):
    """Units are the class, then the pose, then the style."""

    name: Literal["classvae"] = "classvae"
    classes: int = Field(10, ge=1, description="values of the discrete unit; 1: there are continuous units alone")
    pose: Literal["none", "linear", "affine"] = Field(
        "linear", description="units that change the drawn thing: stretches, shear and turn; affine: and its place"
    )
    style: int = Field(2, ge=1, description="other continuous units")
    maps: int = Field(4, ge=2, description="pictures of a class, which the style mixes")
    beta: float = Field(2.0, ge=0, description="weight of the KL term of the continuous units")
    temperature: float = Field(
        0.03, ge=0, description="at the beginning: nats a pixel and channel by which classes are told apart"
    )
    anneal: float = Field(0.5, gt=0, le=1, description="part of the training after which the temperature is 1")
    balance: float = Field(0.05, ge=0, description="rate at which classes are made equally frequent; 0: they are not")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "laptop": {**SWEEP["laptop"], "training": {**SWEEP["laptop"]["training"], "images": 200_000}},
}
"""Ours, of minutes."""


class ClassVAE(OneShot):
    """Loss: E over q(z|x) of -T log mean over k of exp(prior_k + log p(x|k, z) / T) + beta KL(q(z|x) || N(0, I)).

    - p(x|k, z) is Bernoulli on images in [0, 1]. One decoder draws some maps of each class k, from k alone; the style
      mixes them (the first has weight 1), the pose moves the mixture, onto a background of one colour
    - T falls from `temperature` to 1, evenly in its logarithm, in the first part of the training, and never rises
      again. While it is high, all classes learn from every image, and so draw the same; they part as it falls. The
      style is 0 until T is 1: it would tell things apart before the classes do
    - prior_k is no parameter: with each step it rises where class k was rarer than others in the batch, and falls
      where it was more frequent
    """

    log_prior: Float[Tensor, "class"]
    coolest: Float[Tensor, ""]

    def __init__(self, settings: ClassVAESettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.settings, self.shape = settings, shape
        poses = POSES[settings.pose]
        self.sizes = [len(poses), settings.style]
        names = ["class", *poses, *(f"style{number}" for number in range(1, settings.style + 1))]
        self.unit_groups = NamedGroups({name: [unit] for unit, name in enumerate(names)})
        channels, height, width = shape
        self.encoder = vae.encoder(shape, 2 * sum(self.sizes))
        self.decoder = vae.decoder((settings.maps * channels, height, width), settings.classes)
        self.mixer = nn.Sequential(nn.Linear(settings.style, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, settings.maps - 1))
        self.background = nn.Parameter(torch.full((channels, 1, 1), -3.0))  # logits
        self.register_buffer("log_prior", torch.zeros(settings.classes))
        self.register_buffer("coolest", torch.tensor(torch.inf))

    def players(self) -> list[Player]:
        return [Player("classvae", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s = self.settings
        posterior = self.posterior(batch.to_encode)
        temperature = self.temperature(batch)
        if self.training:
            self.coolest.fill_(temperature)
        pose, style = sample_posterior(posterior, rng).split(self.sizes, 1)
        z = torch.cat([pose, style if temperature == 1 else torch.zeros_like(style)], 1)
        scores = self.log_prior - self.errors(batch.images, z) / temperature
        reconstruction = -temperature * (scores.logsumexp(1) - log(s.classes)).mean()
        divergence = kl(posterior)
        frequency = scores.detach().softmax(1).mean(0)
        if self.training:
            self.log_prior += s.balance * (1 - s.classes * frequency).clamp(min=-3)
        terms = {"reconstruction": reconstruction, "kl": divergence, "classes": perplexity(frequency)}
        return Loss(reconstruction + s.beta * divergence, terms)

    def temperature(self, batch: Batch) -> float:
        """In nats: that of the beginning, falling to 1."""
        if not batch.budget:
            return 1.0
        share = min(1.0, batch.seen / (self.settings.anneal * batch.budget))
        scheduled = max(1.0, self.settings.temperature * prod(self.shape)) ** (1 - share)
        return min(scheduled, self.coolest.item())

    def posterior(self, images: Images) -> Posterior:
        """Of the continuous units."""
        with torch.autocast(images.device.type, enabled=False):
            return Posterior(*self.encoder(images).chunk(2, dim=1))

    def errors(self, images: Images, z: ScalarCodes) -> Classwise:
        """-log p(x|k, z) of every class, in nats, summed over pixels and channels."""
        logits = self.draw(self.maps(), z).float()
        return (functional.softplus(logits) - logits * ((images + 1) / 2).unsqueeze(1)).sum((2, 3, 4))

    def maps(self) -> Float[Tensor, "map class channel height width"]:
        """What the decoder draws of each class."""
        classes = torch.eye(self.settings.classes, device=self.background.device)
        return self.decoder(classes).unflatten(1, (self.settings.maps, -1)).transpose(0, 1)

    def draw(
        self, maps: Float[Tensor, "map class channel height width"], z: ScalarCodes
    ) -> Float[Tensor, "batch class channel height width"]:
        """Logits of pictures of all classes in each pose and style."""
        pose, style = z.split(self.sizes, 1)
        weights = functional.pad(self.mixer(style), (1, 0), value=1.0)
        mixed = (weights @ maps.flatten(1)).unflatten(1, (-1, *maps.shape[3:]))  # (batch, class · channel, ...)
        if self.sizes[0]:
            inverse, shift = inverse_of(pose)
            mixed = sample(mixed, inverse, -(inverse @ shift))
        return mixed.unflatten(1, maps.shape[1:3]) + self.background

    def encode(self, images: Images) -> Units:
        z = self.posterior(images).mean
        classes = (self.log_prior - self.errors(images, z)).argmax(1, keepdim=True)
        return torch.cat([classes.to(z), z], 1).unsqueeze(-1)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        numbers = units.squeeze(-1).float()
        classes = numbers[:, 0].round().long().clamp(0, self.settings.classes - 1)
        logits = self.draw(self.maps(), numbers[:, 1:])[torch.arange(len(classes)), classes]
        return logits.float().sigmoid() * 2 - 1


def inverse_of(pose: ScalarCodes) -> tuple[Float[Tensor, "batch 2 2"], Float[Tensor, "batch 2 1"]]:
    """The inverse of turn · shear · stretches, and the shift that comes after them, 0 where it is no unit."""
    numbers = functional.pad(SPAN * pose, (0, 6 - pose.shape[1]))
    stretch, shear, angle, shift = numbers.split([2, 1, 1, 2], 1)
    one, zero = torch.ones_like(shear), torch.zeros_like(shear)
    unsheared = torch.stack([torch.cat([one, -shear], 1), torch.cat([zero, one], 1)], 1)
    return (-stretch).exp().unsqueeze(2) * unsheared @ rotation(-angle.squeeze(1)), shift.unsqueeze(2)


def perplexity(frequency: Float[Tensor, "class"]) -> Tensor:
    """Classes in use: how many equally frequent ones have the entropy of these."""
    return torch.special.entr(frequency).sum().exp()


def build(settings: ClassVAESettings, foundation: Foundation) -> ClassVAE:
    return ClassVAE(settings, foundation.shape)


METHOD = MethodDefinition(settings=ClassVAESettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True)
