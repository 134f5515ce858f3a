"""Pictures moved, turned and scaled as a whole, with the gradient of where they are put.

Jaderberg et al., "Spatial transformer networks", NeurIPS 2015, arXiv:1506.02025. Places are in halves of the picture's
side from its middle (x to the right, y down), angles in radians (from x towards y), scales against the upright picture.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from unweave.tensors import Images

Angles = Float[Tensor, "batch"]
LARGEST = 2.0
"""A thing is at most so many times larger, or smaller, than its upright picture."""
WIDTH = 32  # channels of the locator


class Pose(NamedTuple):
    """Where a thing is, how large it is, and how it is turned."""

    shift: Float[Tensor, "batch 2"]
    scale: Float[Tensor, "batch"]
    angle: Angles


class Locator(nn.Module):
    """Where a thing is, and its scale: the mean place under a map of weights, and features averaged under it and over
    the whole image.

    Convolutions move with what they see, so the place of a moved thing is moved; that the thing lies anywhere is known
    before anything is learnt (a regression of the place has to learn it for each).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 5, 2, 2), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 5, 1, 2), nn.ReLU()
        )
        self.weights, self.scale = nn.Conv2d(WIDTH, 1, 1), nn.Linear(2 * WIDTH, 1)

    def forward(self, images: Images) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch"]]:
        """Shift, and a number for the scale (see `bounded`)."""
        features = self.features(images)
        weights = self.weights(features).flatten(2).softmax(2)
        height, width = features.shape[2:]
        down, across = torch.meshgrid(middles(height, images), middles(width, images), indexing="ij")
        shift = weights @ torch.stack([across.flatten(), down.flatten()], 1)
        seen = (weights @ features.flatten(2).transpose(1, 2)).squeeze(1)
        scale = self.scale(torch.cat([seen, features.mean((2, 3))], 1))
        return shift.squeeze(1), scale.squeeze(1)


def bounded(numbers: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """Scales from any numbers; 0 is 1."""
    return LARGEST ** numbers.tanh()


def middles(count: int, like: Tensor) -> Float[Tensor, "place"]:
    """The middles of so many equal parts of [-1, 1]."""
    return (torch.arange(count, device=like.device) * 2 + 1) / count - 1


def place(things: Images, pose: Pose) -> Images:
    """Upright pictures of things, put into their pose; what lies outside them is 0."""
    inverse = rotation(-pose.angle) / pose.scale[:, None, None]
    return sample(things, inverse, -(inverse @ pose.shift[:, :, None]))


def upright(images: Images, pose: Pose) -> Images:
    """The pictures moved, scaled and turned back, so that `place` puts them where they were; outside is 0."""
    return sample(images, rotation(pose.angle) * pose.scale[:, None, None], pose.shift[:, :, None])


def rotation(angle: Angles) -> Float[Tensor, "batch 2 2"]:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def sample(images: Images, matrix: Float[Tensor, "batch 2 2"], shift: Float[Tensor, "batch 2 1"]) -> Images:
    """Each pixel at u of the result is the image at matrix u + shift, interpolated bilinearly."""
    places = functional.affine_grid(torch.cat([matrix, shift], -1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, align_corners=False)
