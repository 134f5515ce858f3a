"""A VAE whose first units are the pose of a thing: its angle and its place; the others say what it is.

Spatial transformers in the decoder of a VAE: Bepler et al., "Explicitly disentangling image content from translation
and rotation with spatial-VAE", NeurIPS 2019, arXiv:1909.11663. A distribution over turns, from turned copies of the
image: Nasiri & Bepler, "Unsupervised object representation learning using translation and rotation group equivariant
VAE" (TARGET-VAE), NeurIPS 2022, arXiv:2210.12918.

Theirs: a decoder that draws the thing upright and puts it where the encoder says; a posterior over a few turns of the
circle with an offset around each, which keeps the angle out of the local optimum where it stays unused. Ours: the place
is estimated first, by a network of its own without a prior, and undone, so that the thing is turned about its own
middle; the copies are turned images through one ordinary network instead of a group convolution over all places; the
networks are those of the VAE sweep. A unit for the scale was tried and made the others worse
(benchmarks/records/posevae.md): the size of a thing is content.
"""

from math import log, pi
from typing import Any, Literal, NamedTuple

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
from unweave.models.pose import Locator, Pose, place, upright
from unweave.tensors import Images, Units

CITATION = """@inproceedings{nasiri2022target,
  title     = {Unsupervised Object Representation Learning using Translation and Rotation Group Equivariant {VAE}},
  author    = {Nasiri, Alireza and Bepler, Tristan},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2022}
}"""


class PoseVAESettings(NamedSettings):
    """Units are the angle (cosine, sine), x, y, and then the content."""

    name: Literal["posevae"] = "posevae"
    content: int = Field(5, ge=1, description="units that say what the thing is")
    beta: float = Field(1.0, ge=0, description="weight of the KL term of the content")
    turns: int = Field(8, ge=1, description="angles at which an image is looked at; 1: the angle is regressed at once")
    zoom: float = Field(
        2.0, gt=0, description="how many times larger than in the picture things are drawn upright; 1 for the largest"
    )
    symmetry: int = Field(
        1,
        ge=1,
        description="how often things look the same in a turn: 2 for rods; the angle is of that part of it",
    )


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "laptop": {**SWEEP["laptop"], "training": {**SWEEP["laptop"]["training"], "images": 200_000}},
}
"""Ours, of minutes."""

POSE = {"angle": [0, 1], "x": [2], "y": [3]}


class TurnPosterior(NamedTuple):
    """What is said of an image at each of the turns."""

    log_weight: Float[Tensor, "batch turn"]  # logarithm of q(turn | image)
    angle: Float[Tensor, "batch turn"]  # the turn and its offset


class PoseVAE(OneShot):
    """Loss: E over q(turn|x) and q(z|x) of -log p(x|z, pose) + KL(q(turn|x) || uniform) + beta KL(q(z|x) || N(0, I)).

    - p(x|z, pose) is Bernoulli on images in [0, 1]: a background of one colour, and on it the thing that the decoder
      draws upright from z, at the place and angle of the pose
    - place: a network's estimate from the image
    - q(turn|x): the image with the place undone is turned back by each of `turns` angles; one network gives each copy
      its weight, its offset (at most half a step between turns) and q(z|x) as seen from there, of which the means
      and log-variances are averaged by weight. Turning an image by a step therefore permutes what is said of it
    """

    joint_units = (tuple(POSE["angle"]),)

    def __init__(self, settings: PoseVAESettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.settings = settings
        self.locator = Locator(shape[0])
        self.encoder = vae.encoder(shape, 2 + 2 * settings.content)
        self.decoder = vae.decoder(shape, settings.content)
        self.background = nn.Parameter(torch.full((shape[0], 1, 1), -3.0))  # logits
        content = range(4, 4 + settings.content)
        self.unit_groups = NamedGroups({**POSE, "content": list(content)})

    def players(self) -> list[Player]:
        return [Player("posevae", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        target = (batch.images + 1) / 2
        with torch.autocast(target.device.type, enabled=False):
            shift = self.locator(2 * target - 1)
            turns, posterior = self.look(target, shift)
        z = sample_posterior(posterior, rng)
        things = repeat(self.things(z), self.settings.turns)
        pictures = self.draw(things, self.at_turns(shift, turns)).unflatten(0, turns.angle.shape)
        errors = functional.binary_cross_entropy(pictures, target[:, None].expand_as(pictures), reduction="none")
        weight = turns.log_weight.exp()
        reconstruction = (weight * errors.sum((2, 3, 4))).sum(1).mean()
        turned = (weight * (turns.log_weight + log(self.settings.turns))).sum(1).mean()
        content = kl(posterior)
        terms = {"reconstruction": reconstruction, "kl_turn": turned, "kl": content}
        return Loss(reconstruction + turned + self.settings.beta * content, terms)

    def look(self, target: Images, shift: Float[Tensor, "batch 2"]) -> tuple[TurnPosterior, Posterior]:
        """The turns and the content of images in [0, 1] that are so shifted."""
        count = self.settings.turns
        step = 2 * pi / (count * self.settings.symmetry)
        steps = torch.arange(count, device=target.device) * step
        every = Pose(repeat(shift, count), steps.repeat(len(target)), self.settings.zoom)
        background = self.background.sigmoid().detach()
        copies = upright(repeat(target - background, count), every) + background
        said = self.encoder(2 * copies - 1).unflatten(0, (len(target), count))
        weight, offset, mean, log_variance = said.split([1, 1, *2 * [self.settings.content]], dim=2)
        log_weight = weight.squeeze(2).log_softmax(1)
        turns = TurnPosterior(log_weight, steps + offset.squeeze(2).tanh() * (step / 2))
        q = log_weight.exp().unsqueeze(2)
        return turns, Posterior((q * mean).sum(1), (q * log_variance).sum(1))

    def at_turns(self, shift: Float[Tensor, "batch 2"], turns: TurnPosterior) -> Pose:
        """The pose at each of the turns, a row for each."""
        return Pose(repeat(shift, turns.angle.shape[1]), turns.angle.flatten(), self.settings.zoom)

    def things(self, z: ScalarCodes) -> Images:
        """What the decoder draws upright: by how much it differs from the background."""
        return self.decoder(z).float().sigmoid() - self.background.sigmoid()

    def draw(self, things: Images, pose: Pose) -> Images:
        """Images in [0, 1] of these things in their pose."""
        return (place(things, pose) + self.background.sigmoid()).clamp(1e-4, 1 - 1e-4)

    def encode(self, images: Images) -> Units:
        shift = self.locator(images)
        turns, posterior = self.look((images + 1) / 2, shift)
        best = turns.log_weight.argmax(1, keepdim=True)
        angle = self.settings.symmetry * turns.angle.gather(1, best)
        return torch.cat([angle.cos(), angle.sin(), shift, posterior.mean], 1).unsqueeze(-1)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        numbers = units.squeeze(-1).float()
        cos, sin, x, y = numbers[:, :4].unbind(1)
        angle = torch.atan2(sin, cos) / self.settings.symmetry
        pose = Pose(torch.stack([x, y], 1), angle, self.settings.zoom)
        return 2 * self.draw(self.things(numbers[:, 4:]), pose) - 1


def repeat(rows: Tensor, times: int) -> Tensor:
    """Each row so many times, one after the other."""
    return rows.repeat_interleave(times, 0)


def build(settings: PoseVAESettings, foundation: Foundation) -> PoseVAE:
    return PoseVAE(settings, foundation.shape)


METHOD = MethodDefinition(settings=PoseVAESettings, build=build, presets=PRESETS, citation=CITATION)
