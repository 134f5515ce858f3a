"""Tensors of images as the pixels of a picture."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import ImageColor
from torch import Tensor

from unweave.tensors import Images
from unweave.types import Pixels

CHANNEL_COLOURS = ("green", "magenta", "blue", "yellow", "cyan", "red", "white", "orange")
"""Of channels that are not grey or RGB, one after the other, where none are chosen; then they begin anew."""

_chosen: dict[str, tuple[str, ...] | None] = {"colours": None}  # of the process: pictures are drawn in any thread


def use_colours(colours: Sequence[str] | None) -> None:
    """From now on channels are shown in these colours (CSS names, #rrggbb); None: in `CHANNEL_COLOURS`, 3 as RGB."""
    _chosen["colours"] = None if colours is None else tuple(colours)


def rgb_pixels(images: Images | Pixels) -> UInt8[np.ndarray, "rows height width 3"]:
    """RGB values 0 .. 255, channels last, from images in [-1, 1] or from pixels.

    Grey becomes RGB; of two or more than three channels, and where colours are chosen (`use_colours`), each is light of
    its colour, and they add up. Values outside [-1, 1] are clipped; NaN is black.
    """
    if isinstance(images, Tensor):
        scaled = torch.nan_to_num((images.detach().cpu().float() + 1) * 127.5)
        images = scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()  # channels last
    chosen, channels = _chosen["colours"], images.shape[3]
    if channels == 1:
        return np.repeat(images, 3, axis=3)
    if channels == 3 and chosen is None:
        return images
    names = chosen or CHANNEL_COLOURS
    light = np.array([ImageColor.getrgb(names[i % len(names)])[:3] for i in range(channels)], np.float32) / 255
    return (images.astype(np.float32) @ light).clip(0, 255).round().astype(np.uint8)


def numpy_maps(
    values: Float[Tensor, "map height width"] | Float[np.ndarray, "map height width"],
) -> Float[np.ndarray, "..."]:
    """Maps of numbers as a NumPy array."""
    return values.detach().cpu().float().numpy() if isinstance(values, Tensor) else values


def enlarge(image: UInt8[np.ndarray, "height width 3"], scale: int) -> UInt8[np.ndarray, "tall wide 3"]:
    """Each pixel as a square of `scale` x `scale`: nothing is smoothed away."""
    return image.repeat(scale, axis=0).repeat(scale, axis=1)


def default_scale(height: int, width: int) -> int:
    """The largest whole scale at which an image is at most 128 pixels long; at least 1."""
    return max(1, 128 // max(height, width))
