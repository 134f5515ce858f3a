"""Units of one image in the place of another's."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_partners, check_start, decode_chunks
from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, encode_images
from unweave.runs.units import check_units
from unweave.tensors import Images


def swap_units(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    units: Sequence[int],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Images:
    """The images with the listed units taken from their partners, all at once; in [-1, 1].

    `partners` has the shape of `images`: image i takes its units from partner i. `start` is
    `make_start(method, images, ...)`, inverted or seeded. At most `batch` images are decoded at a time.
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
    """As `swap_units`, once for each edit, a list of units; all in batches over images and edits together."""
    generative = check_generative(method)
    check_partners(images, partners)
    check_start(start, len(images))
    with evaluating(generative):
        codes, partner_codes = (encode_images(generative, side, batch) for side in (images, partners))
        swapped = torch.zeros(len(edits), codes.shape[1], 1, dtype=torch.bool, device=codes.device)
        for index, units in enumerate(edits):
            swapped[index, check_units(units, codes.shape[1])] = True
        if len(edits) == 0:
            return images.new_zeros(len(images), 0, *images.shape[1:])
        edited = torch.where(swapped, partner_codes[:, None], codes[:, None]).flatten(0, 1)  # (batch · edit, unit, dim)
        rows = torch.arange(len(images), device=codes.device).repeat_interleave(len(edits))
        chunks = [chunk for _, chunk in decode_chunks(generative, edited, start, rows, sampling=sampling, batch=batch)]
        return torch.cat(chunks).unflatten(0, (len(images), len(edits)))
