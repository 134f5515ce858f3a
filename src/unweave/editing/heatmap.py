"""Where in the image each unit acts."""

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import (
    check_generative,
    check_partners,
    check_start,
    decode,
    decoded,
    encode,
)
from unweave.method import Method, Sampling, Start, evaluating
from unweave.shapes import Images


def moved(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Float[Tensor, "unit height width"]:
    """How far each pixel moves when one unit alone comes from the partners; in [0, 2], 0 is untouched.

    The mean over images and channels of the absolute change against the reconstruction from the same start.
    `partners` has the shape of `images`; `start` is `begin(method, images, ...)`, inverted or seeded. At most `batch`
    images are decoded at a time. Raises TypeError for a method without a decoder, ValueError for partners of another
    shape.
    """
    generative = check_generative(method)
    check_partners(images, partners)
    check_start(start, len(images))
    with evaluating(generative):
        own, theirs = encode(generative, images, batch), encode(generative, partners, batch)
        before = decode(generative, own, start, sampling=sampling, batch=batch)
        count = own.shape[1]
        swapped = torch.eye(count, dtype=torch.bool, device=own.device)[:, None, :, None]  # (unit, 1, unit, 1)
        edited = torch.where(swapped, theirs, own).flatten(0, 1)  # (unit · batch, unit, dim)
        unit = torch.arange(count, device=own.device).repeat_interleave(len(images))
        rows = torch.arange(len(images), device=own.device).repeat(count)
        total = before.new_zeros(count, *before.shape[2:])  # (unit, height, width)
        for place, after in decoded(generative, edited, start, rows, sampling=sampling, batch=batch):
            total.index_add_(0, unit[place], (after - before[rows[place]]).abs().mean(1))
        return total / len(images)
