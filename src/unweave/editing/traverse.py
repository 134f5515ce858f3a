"""Each unit along a line of values, everything else fixed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_start, decoded
from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, check_units, encode_images
from unweave.tensors import Images


def traverse(
    method: Method,
    images: Images,
    units: Sequence[int],
    points: Float[Tensor, "unit step dim"],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Float[Tensor, "unit step batch channel height width"]:
    """The images with one listed unit at a time set to each of its points; in [-1, 1].

    Every step has the other units and the start of its image. `start` is `begin(method, images, ...)`, inverted or
    seeded. At most `batch` images are decoded at a time, over units, steps and images together. Raises TypeError for a
    method without a decoder, ValueError for a unit that is not there or for points of another shape.
    """
    if points.numel() == 0:
        raise ValueError("points must have at least one row for at least one unit, got none.")
    if len(points) != len(units):
        raise ValueError(f"points must have rows for each of the {len(units)} units, got {len(points)}.")
    edits, lines = [[unit] for unit in units], [line[:, None] for line in points]
    return traverse_each(method, images, edits, lines, sampling=sampling, start=start, batch=batch)


def traverse_each(
    method: Method,
    images: Images,
    edits: Sequence[Sequence[int]],
    lines: Sequence[Float[Tensor, "step _ dim"]],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Float[Tensor, "edit step batch channel height width"]:
    """As `traverse`, for edits of several units at once: each has a line of points [step, its units, dim]."""
    generative = check_generative(method)
    check_start(start, len(images))
    with evaluating(generative):
        own = encode_images(generative, images, batch)
        steps = len(lines[0])
        edited = own.repeat(len(edits), steps, 1, 1, 1)  # (edit, step, batch, unit, dim)
        for place, (units, line) in enumerate(zip(edits, lines)):
            chosen = check_units(units, own.shape[1])
            if line.shape[2] != own.shape[2]:
                raise ValueError(f"points must be of dimension {own.shape[2]}, as the units are, got {line.shape[2]}.")
            edited[place, :, :, chosen] = line.to(own)[:, None]
        rows = torch.arange(len(images), device=own.device).repeat(len(edits) * steps)
        flat = edited.flatten(0, 2)
        chunks = [chunk for _, chunk in decoded(generative, flat, start, rows, sampling=sampling, batch=batch)]
        return torch.cat(chunks).unflatten(0, (len(edits), steps, len(images)))
