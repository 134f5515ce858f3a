"""Pictures moved, turned and enlarged as a whole, with the gradient of where they are put.

Jaderberg et al., "Spatial transformer networks", NeurIPS 2015, arXiv:1506.02025. Places are in halves of the picture's
side from its middle (x to the right, y down), angles in radians (from x towards y).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from unweave.tensors import Images

Angles = Float[Tensor, "batch"]
WIDTH = 32  # channels of the locator


class Pose(NamedTuple):
    """Where a thing is, how it is turned, and how much larger than in the picture it is drawn upright."""

    shift: Float[Tensor, "batch 2"]
    angle: Angles
    zoom: float = 1.0


class Locator(nn.Module):
    """Where a thing is: the mean place under a map of weights over the image.

    Convolutions move with what they see, so the place of a moved thing is moved; that the thing lies anywhere is known
    before anything is learnt (a regression of the place has to learn it for each).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 5, 2, 2), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 5, 1, 2), nn.ReLU()
        )
        self.weights = nn.Conv2d(WIDTH, 1, 1)

    def forward(self, images: Images) -> Float[Tensor, "batch 2"]:
        features = self.features(images)
        weights = self.weights(features).flatten(2).softmax(2)
        height, width = features.shape[2:]
        down, across = torch.meshgrid(middles(height, images), middles(width, images), indexing="ij")
        return (weights @ torch.stack([across.flatten(), down.flatten()], 1)).squeeze(1)


def middles(count: int, like: Tensor) -> Float[Tensor, "place"]:
    """The middles of so many equal parts of [-1, 1]."""
    return (torch.arange(count, device=like.device) * 2 + 1) / count - 1


def place(things: Images, pose: Pose) -> Images:
    """Upright pictures of things, put into their pose; what lies outside them is 0."""
    inverse = pose.zoom * rotation(-pose.angle)
    return sample(things, inverse, -(inverse @ pose.shift[:, :, None]))


def upright(images: Images, pose: Pose) -> Images:
    """The pictures moved, turned back and enlarged, so that `place` puts them where they were; outside is 0."""
    return sample(images, rotation(pose.angle) / pose.zoom, pose.shift[:, :, None])


def rotation(angle: Angles) -> Float[Tensor, "batch 2 2"]:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def sample(images: Images, matrix: Float[Tensor, "batch 2 2"], shift: Float[Tensor, "batch 2 1"]) -> Images:
    """Each pixel at u of the result is the image at matrix u + shift, interpolated bilinearly."""
    places = functional.affine_grid(torch.cat([matrix, shift], -1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, align_corners=False)
