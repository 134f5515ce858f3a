"""Tensors of images as the pixels of a picture."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from unweave.tensors import Images
from unweave.types import Pixels


def rgb_pixels(images: Images | Pixels) -> UInt8[np.ndarray, "rows height width 3"]:
    """RGB values 0 .. 255, channels last, from images in [-1, 1] or from pixels; grey becomes RGB.

    Values outside [-1, 1] are clipped; NaN is black. Raises ValueError unless there are 1 or 3 channels.
    """
    if isinstance(images, Tensor):
        scaled = torch.nan_to_num((images.detach().cpu().float() + 1) * 127.5)
        images = scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()  # channels last
    if images.shape[3] not in (1, 3):
        raise ValueError(f"images must have 1 (grey) or 3 (RGB) channels, got {images.shape[3]}.")
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images


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
