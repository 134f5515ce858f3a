"""The angle of a thing is a unit of its own once a VAE looks at each picture from several sides.

Nasiri & Bepler, "Unsupervised object representation learning using translation and rotation group equivariant VAE"
(TARGET-VAE), NeurIPS 2022, arXiv:2210.12918; Bepler et al., spatial-VAE, NeurIPS 2019, arXiv:1909.11663.

Three things of four blobs lie at any place, in any size, turned by any angle. A VAE whose decoder draws the thing
upright and then places it has units for place and angle, but finds the angle only if it does not have to guess it at
once. Measured on new pictures:

- `angle`: length of the mean of exp(i (unit - truth)) within each thing: 1 where the unit is the angle up to a
  constant, 0 where it knows nothing of it
- `place`: correlation of its units with the truth
- `content`: R² of the angle's cosine and sine, read linearly from the content units: low where they leave it to
  the pose
- `pixel error` of the rebuilt picture
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from sklearn.linear_model import LinearRegression
from torch import Tensor

from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.demos._fit import fit
from unweave.figures.grid import grid
from unweave.method import Sampling, evaluating
from unweave.methods.posevae import PoseVAE, PoseVAESettings
from unweave.tensors import Images

SIDE, SMALL_SIDE = 32, 16
IMAGES, SMALL_IMAGES = 24_000, 12_000  # seen in a training, counted with repeats
PICTURES = 8_000
THINGS = torch.tensor([  # places of their blobs (x, y), in thirty-seconds of the side, about their middle
    [[0, -6], [0, 0], [0, 6], [5, 6]],
    [[-5, -4], [5, -4], [0, 4], [0, 7]],
    [[-6, 0], [0, 0], [6, 0], [3, -5]],
]).float()  # fmt: skip
THINGS = THINGS - THINGS.mean(1, keepdim=True)
WIDTH = 2.0  # the same: deviation of a blob
CELLS: dict[str, dict[str, Any]] = {"eight turns": {}, "one": {"turns": 1}}


class Truth:
    """Things, places in halves of the side, scales and angles of pictures."""

    def __init__(self, count: int, rng: torch.Generator) -> None:
        self.thing: Int[Tensor, "picture"] = torch.randint(len(THINGS), (count,), generator=rng)
        uniform = torch.rand(count, 4, generator=rng)
        self.shift: Float[Tensor, "picture 2"] = 0.6 * uniform[:, :2] - 0.3
        self.scale: Float[Tensor, "picture"] = 0.8 + 0.5 * uniform[:, 2]
        self.angle: Float[Tensor, "picture"] = 2 * torch.pi * uniform[:, 3]

    def pictures(self, side: int) -> Images:
        """In [-1, 1], the background -1; every blob is drawn where it is, so that nothing is interpolated."""
        cos, sin = self.angle.cos()[:, None], self.angle.sin()[:, None]
        x, y = THINGS[self.thing].unbind(2)
        scale, middle = side / 32 * self.scale[:, None], (side - 1) / 2
        across = middle + side / 2 * self.shift[:, :1] + scale * (cos * x - sin * y)
        down = middle + side / 2 * self.shift[:, 1:] + scale * (sin * x + cos * y)
        axis = torch.arange(side).float()
        dx, dy = axis[None, None, None] - across[..., None, None], axis[None, None, :, None] - down[..., None, None]
        blobs = (-(dx.square() + dy.square()) / (2 * (WIDTH * scale[..., None, None]) ** 2)).exp()
        return 2 * (1 - (1 - blobs).prod(1, keepdim=True)) - 1


def train(table: dict[str, Any], seed: int, images: int, side: int) -> PoseVAE:
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    method = PoseVAE(PoseVAESettings(content=3, zoom=1.3, **table), (1, side, side))
    fit(method, Truth(PICTURES, rng).pictures(side), images, rng)
    return method


def measure(method: PoseVAE, seed: int, side: int) -> dict[str, float]:
    truth = Truth(1_000, torch.Generator().manual_seed(1_000 + seed))
    pictures = truth.pictures(side)
    with evaluating(method):
        units = method.encode(pictures)
        rebuilt = method.decode(units, None, Sampling())
    numbers = units.squeeze(-1).numpy()
    turned = np.exp(1j * truth.angle.numpy())
    difference = (numbers[:, 0] + 1j * numbers[:, 1]) / turned
    each = [abs(difference[truth.thing.numpy() == thing].mean()) for thing in range(len(THINGS))]
    circle = np.stack([turned.real, turned.imag], 1)
    half = len(numbers) // 2
    content = LinearRegression().fit(numbers[:half, 4:], circle[:half]).score(numbers[half:, 4:], circle[half:])
    place = [np.corrcoef(numbers[:, 2 + axis], truth.shift[:, axis].numpy())[0, 1] for axis in range(2)]
    return {
        "angle": float(np.mean(each)),
        "place": float(np.mean(place)),
        "content": max(0.0, float(content)),
        "pixel error": (rebuilt - pictures).square().flatten(1).sum(1).mean().item() / 4,
    }


def run(seed: int, small: bool) -> Outcome:
    images, side = (SMALL_IMAGES, SMALL_SIDE) if small else (IMAGES, SIDE)
    methods = {name: train(table, seed, images, side) for name, table in CELLS.items()}
    ours, control = (measure(method, seed, side) for method in methods.values())
    return Outcome(ours, control, picture(methods["eight turns"], side))


def picture(method: PoseVAE, side: int) -> Image.Image:
    """A picture of each thing, and the same with its angle alone moved round the circle."""
    truth = Truth(60, torch.Generator().manual_seed(0))
    chosen = [int((truth.thing == thing).nonzero()[0]) for thing in range(len(THINGS))]
    pictures, rows = truth.pictures(side)[chosen], []
    with evaluating(method):
        for image, units in zip(pictures, method.encode(pictures)):
            turned = units.repeat(7, 1, 1)
            angle = torch.atan2(units[1], units[0]) + torch.linspace(0, 2 * torch.pi, 8)[:7]
            turned[:, 0, 0], turned[:, 1, 0] = angle.cos(), angle.sin()
            rows.append(torch.cat([image[None], method.decode(turned, None, Sampling())]))
    labels = [f"thing {thing}" for thing in range(len(THINGS))]
    return grid(rows, labels, title="A picture, then its angle unit moved round the circle")


def holds(measured: Measurements, control: Measurements) -> bool:
    return measured["angle"] > 0.8 and control["angle"] < 0.6 * measured["angle"]


DEMO = Demonstration(
    paper="Nasiri & Bepler, Unsupervised Object Representation Learning using Translation and Rotation Group "
    "Equivariant VAE, 2022",
    control="the same networks, pictures and seed; the angle is regressed at once, from one copy of the picture",
    run=run,
    holds=holds,
)
