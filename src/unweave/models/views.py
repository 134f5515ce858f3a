"""Views: random changes of an image that a self-supervised learner is taught to ignore.

Whatever a view changes, the code loses: one that turns hues takes hue out of it, one that shifts takes position.
Colours and blur are kornia's (Riba et al., arXiv:1910.02190), which wants images in [0, 1]; ours are in [-1, 1] outside
this file. Shifts, crops and flips are one affine map of torch's.
"""

from math import pi
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from unweave.config import Frozen
from unweave.tensors import Images, PerImage


class RandomViews(Frozen):
    """How often, and how strongly; all at rest, views are the image itself."""

    crop: float = Field(1.0, gt=0, description="smallest share of the area that a crop keeps; 1: no crop")
    flip: float = Field(0.0, ge=0, le=1, description="probability of a mirrored view")
    shift: float = Field(0.0, ge=0, le=0.5, description="largest shift, as a share of each side")
    jitter: float = Field(0.0, ge=0, le=1, description="probability that colours are jittered, by the next four")
    brightness: float = Field(0.0, ge=0, le=1, description="factor in 1 - s .. 1 + s")
    contrast: float = Field(0.0, ge=0, le=1, description="factor in 1 - s .. 1 + s")
    saturation: float = Field(0.0, ge=0, le=1, description="factor in 1 - s .. 1 + s")
    hue: float = Field(0.0, ge=0, le=0.5, description="turn of the colour circle in -s .. s; 0.5 is any hue")
    grey: float = Field(0.0, ge=0, le=1, description="probability of a grey view")
    blur: float = Field(0.0, ge=0, le=1, description="probability of a blurred view")
    blur_width: float = Field(1.0, gt=0, le=10, description="largest deviation of the blur, in pixels; smallest 0.1")
    solarise: float = Field(0.0, ge=0, le=1, description="probability that bright values are inverted, in view 2 alone")
    noise: float = Field(0.0, ge=0, le=1, description="deviation of the noise on pixels in 0 .. 1")


COLOUR = ("hue", "saturation", "grey")
"""What does nothing to images of one channel."""


def changing(settings: RandomViews, channels: int) -> tuple[str, ...]:
    """The changes that images of this many channels can see, by name; empty where views would be the image itself."""
    s = settings
    jitters = [name for name in ("brightness", "contrast", "saturation", "hue") if s.jitter and getattr(s, name)]
    rest = [name for name in ("flip", "shift", "grey", "blur", "solarise", "noise") if getattr(s, name)]
    names = [*(["crop"] if s.crop < 1 else []), *jitters, *rest]
    return tuple(name for name in names if channels == 3 or name not in COLOUR)


def random_views(images: Images, settings: RandomViews, rng: torch.Generator, share: tuple[int, int]) -> list[Images]:
    """Two views of each image, in [-1, 1].

    `share` is (process, processes): numbers are drawn for the whole batch, so that the views of an image do not depend
    on the number of processes. Whether the second is solarised is the only difference between the two.
    """
    return [view(images, settings, rng, share, solarises) for solarises in (False, True)]


@torch.no_grad()
def view(
    images: Images,
    settings: RandomViews,
    rng: torch.Generator,
    share: tuple[int, int] = (0, 1),
    solarises: bool = True,
) -> Images:
    """One view of each image, in [-1, 1]. `rng` is a generator of the CPU."""
    s, names = settings, changing(settings, images.shape[1])
    process, processes = share
    count = len(images) * processes
    own = slice(process * len(images), (process + 1) * len(images))
    chance = torch.rand(count, 16, generator=rng)[own].to(images.device)
    with torch.autocast(images.device.type, enabled=False):
        x = images.float().add(1).div(2)
        if {"crop", "flip", "shift"} & set(names):
            x = move(x, placement(s, chance[:, [0, 1, 2, 3, 4, 5, 15]]))
        if {"brightness", "contrast", "saturation", "hue"} & set(names):
            x = torch.where(per_image(chance[:, 6] < s.jitter), jitter(x, s, names, chance[:, 7:11]), x)
        if "grey" in names:
            x = torch.where(per_image(chance[:, 11] < s.grey), grey(x), x)
        if "blur" in names:
            x = torch.where(per_image(chance[:, 12] < s.blur), blur(x, 0.1 + (s.blur_width - 0.1) * chance[:, 13]), x)
        if "solarise" in names and solarises:
            x = torch.where(per_image(chance[:, 14] < s.solarise) & (x >= 0.5), 1 - x, x)
        if "noise" in names:
            x = x + s.noise * torch.randn(count, *x.shape[1:], generator=rng)[own].to(x.device)
        return x.clamp(0, 1).mul(2).sub(1)


def per_image(values: Bool[Tensor, "batch"] | PerImage) -> Tensor:
    return values[:, None, None, None]


class Placement(NamedTuple):
    """The part of the image that a view shows; the image reaches from -1 to 1."""

    scale: Float[Tensor, "batch 2"]  # of x and y; below 0 it is mirrored
    middle: Float[Tensor, "batch 2"]


def placement(settings: RandomViews, chance: Float[Tensor, "batch 7"]) -> Placement:
    """A crop of random area (and sides 3:4 .. 4:3, where that fits), then a shift, mirrored or not."""
    area = settings.crop + (1 - settings.crop) * chance[:, 0] if settings.crop < 1 else torch.ones_like(chance[:, 0])
    ratio = (4 / 3) ** (2 * chance[:, 1] - 1) if settings.crop < 1 else torch.ones_like(area)
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1).clamp(max=1)
    within = (2 * chance[:, 2:4] - 1) * (1 - sides)
    shift = 2 * settings.shift * (2 * chance[:, 4:6] - 1)
    mirrored = torch.stack([chance[:, 6] < settings.flip, torch.zeros_like(chance[:, 6], dtype=torch.bool)], 1)
    return Placement(torch.where(mirrored, -sides, sides), within + shift)


def move(x: Images, to: Placement) -> Images:
    """What lies at a placement, at the size of the image; beyond the image, its border goes on."""
    zero = torch.zeros_like(to.scale[:, 0])
    rows = [
        torch.stack([to.scale[:, 0], zero, to.middle[:, 0]], 1),
        torch.stack([zero, to.scale[:, 1], to.middle[:, 1]], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def jitter(x: Images, settings: RandomViews, names: tuple[str, ...], chance: Float[Tensor, "batch 4"]) -> Images:
    """Brightness, contrast, saturation, hue, each by a factor of its own, in this order (torchvision's is random)."""
    from kornia import enhance

    towards = 2 * chance - 1
    if "brightness" in names:
        x = (x * per_image(1 + settings.brightness * towards[:, 0])).clamp(0, 1)
    if "contrast" in names:
        mean = grey(x).mean((1, 2, 3), keepdim=True)
        x = (mean + (x - mean) * per_image(1 + settings.contrast * towards[:, 1])).clamp(0, 1)
    if "saturation" in names:
        x = enhance.adjust_saturation_with_gray_subtraction(x, 1 + settings.saturation * towards[:, 2])
    if "hue" in names:
        x = enhance.adjust_hue(x, 2 * pi * settings.hue * towards[:, 3])
    return x


def grey(x: Images) -> Images:
    """The same image without colour, with as many channels."""
    from kornia.color import rgb_to_grayscale

    return rgb_to_grayscale(x).expand_as(x) if x.shape[1] == 3 else x


def blur(x: Images, width: PerImage) -> Images:
    """A Gaussian blur whose deviation is given in pixels."""
    from kornia.filters import gaussian_blur2d

    reach = 2 * int(2 * float(width.max()) + 0.5) + 1
    reach = min(reach, 2 * ((min(x.shape[2:]) - 1) // 2) + 1)
    return gaussian_blur2d(x, (reach, reach), width[:, None].expand(-1, 2))
