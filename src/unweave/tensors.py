"""The tensor shapes that every part agrees on (torch side)."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unweave.types import Pixels

Images = Float[Tensor, "batch channel height width"]
"""Images in [-1, 1]."""

Units = Float[Tensor, "batch unit dim"]
"""A representation: a set of units. Scalars have dim 1; vector units have dim > 1."""

Times = Int[Tensor, "batch"]
"""Diffusion time-steps, 0 (clean) to T - 1 (noise)."""

PerImage = Float[Tensor, "batch"]
"""One number per image."""

Scalar = Float[Tensor, ""]


def to_images(pixels: Pixels, device: torch.device | None = None) -> Images:
    """Stored pixels as the images that methods see: channels first, in [-1, 1]."""
    moved = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    return moved.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def to_pixels(images: Images) -> Pixels:
    """Images in [-1, 1] as they are stored: uint8, channels last. The inverse of `to_images`."""
    return images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
