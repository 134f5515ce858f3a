"""One unit along a line of values, everything else fixed."""

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_generative, check_start, check_units, decoded, encode
from unweave.method import Method, Sampling, Start, evaluating
from unweave.shapes import Images


def along(
    method: Method,
    images: Images,
    unit: int,
    points: Float[Tensor, "step dim"],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Float[Tensor, "step batch channel height width"]:
    """The images with one unit set to each of the points; in [-1, 1].

    Every step has the other units and the start of its image. `start` is `begin(method, images, ...)`, inverted or
    seeded. At most `batch` images are decoded at a time. Raises TypeError for a method without a decoder, ValueError
    for a unit that is not there or for points of another dimension.
    """
    generative = check_generative(method)
    check_start(start, len(images))
    if len(points) == 0:
        raise ValueError("points must have at least one row, got none.")
    with evaluating(generative):
        own = encode(generative, images, batch)
        check_units([unit], own.shape[1])
        if points.shape[1] != own.shape[2]:
            raise ValueError(f"points must be of dimension {own.shape[2]}, as the units are, got {points.shape[1]}.")
        edited = own.repeat(len(points), 1, 1)  # (step · batch, unit, dim)
        edited[:, unit] = points.to(own).repeat_interleave(len(images), 0)
        rows = torch.arange(len(images), device=own.device).repeat(len(points))
        chunks = [chunk for _, chunk in decoded(generative, edited, start, rows, sampling=sampling, batch=batch)]
        return torch.cat(chunks).unflatten(0, (len(points), len(images)))
