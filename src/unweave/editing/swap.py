"""Units of one image in the place of another's."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_partners, check_start, decoded
from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, check_units, encode_images
from unweave.tensors import Images


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
    return swap_each(method, images, partners, [units], sampling=sampling, start=start, batch=batch)[:, 0]


def swap_each(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    edits: Sequence[Sequence[int]],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Float[Tensor, "batch edit channel height width"]:
    """As `swap`, once for each edit, a list of units; all of them in batches over images and edits together."""
    generative = check_generative(method)
    check_partners(images, partners)
    check_start(start, len(images))
    with evaluating(generative):
        own, theirs = encode_images(generative, images, batch), encode_images(generative, partners, batch)
        taken = torch.zeros(len(edits), own.shape[1], 1, dtype=torch.bool, device=own.device)
        for edit, units in enumerate(edits):
            taken[edit, check_units(units, own.shape[1])] = True
        if len(edits) == 0:
            return images.new_zeros(len(images), 0, *images.shape[1:])
        edited = torch.where(taken, theirs[:, None], own[:, None]).flatten(0, 1)  # (batch · edit, unit, dim)
        rows = torch.arange(len(images), device=own.device).repeat_interleave(len(edits))
        chunks = [chunk for _, chunk in decoded(generative, edited, start, rows, sampling=sampling, batch=batch)]
        return torch.cat(chunks).unflatten(0, (len(images), len(edits)))
