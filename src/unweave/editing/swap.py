"""Units of one image in the place of another's."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import (
    check_generative,
    check_partners,
    check_start,
    check_units,
    decode,
    decoded,
    encode,
)
from unweave.method import Method, Sampling, Start, evaluating
from unweave.shapes import Images


def swap(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    units: Sequence[int],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Images:
    """The images with the listed units taken from their partners; in [-1, 1].

    `partners` has the shape of `images`: image i takes its units from partner i. `start` is
    `begin(method, images, ...)`, inverted or seeded. At most `batch` images are decoded at a time.
    Raises TypeError for a method without a decoder, ValueError for a unit that is not there or for partners of another
    shape.
    """
    generative = check_generative(method)
    check_partners(images, partners)
    check_start(start, len(images))
    with evaluating(generative):
        own, theirs = encode(generative, images, batch), encode(generative, partners, batch)
        chosen = check_units(units, own.shape[1])
        edited = own.clone()
        edited[:, chosen] = theirs[:, chosen]
        return decode(generative, edited, start, sampling=sampling, batch=batch)


def swap_each(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    units: Sequence[int],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Float[Tensor, "batch unit channel height width"]:
    """As `swap` of every listed unit by itself, all of them in batches over images and units together."""
    generative = check_generative(method)
    check_partners(images, partners)
    check_start(start, len(images))
    with evaluating(generative):
        own, theirs = encode(generative, images, batch), encode(generative, partners, batch)
        chosen = torch.tensor(check_units(units, own.shape[1]), device=own.device, dtype=torch.long)
        taken = torch.arange(own.shape[1], device=own.device) == chosen[:, None]  # (edit, unit)
        edited = torch.where(taken[None, ..., None], theirs[:, None], own[:, None]).flatten(0, 1)
        rows = torch.arange(len(images), device=own.device).repeat_interleave(len(chosen))
        if len(chosen) == 0:
            return images.new_zeros(len(images), 0, *images.shape[1:])
        chunks = [chunk for _, chunk in decoded(generative, edited, start, rows, sampling=sampling, batch=batch)]
        return torch.cat(chunks).unflatten(0, (len(images), len(chosen)))
