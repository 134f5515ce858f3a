"""Where in the image each unit acts."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_partners, check_start, decode, decode_chunks
from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, encode_images
from unweave.runs.units import check_units
from unweave.tensors import Images


def change_maps(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    *,
    sampling: Sampling,
    start: Start,
    edits: Sequence[Sequence[int]] | None = None,
    batch: int = 64,
) -> Float[Tensor, "edit height width"]:
    """How much each pixel changes when one unit (or the units of one edit) comes from the partners, in [0, 2].

    The mean over images and channels of the absolute change against the reconstruction from the same start.
    `partners` has the shape of `images`; `start` is `make_start(method, images, ...)`, inverted or seeded. At most
    `batch` images are decoded at a time. Raises TypeError for a method without a decoder, ValueError for partners of
    another shape.
    """
    generative = check_generative(method)
    check_partners(images, partners)
    check_start(start, len(images))
    with evaluating(generative):
        codes, partner_codes = (encode_images(generative, side, batch) for side in (images, partners))
        before = decode(generative, codes, start, sampling=sampling, batch=batch)
        count = codes.shape[1]
        edits = [[unit] for unit in range(count)] if edits is None else edits
        swapped = torch.zeros(len(edits), 1, count, 1, dtype=torch.bool, device=codes.device)
        for index, units in enumerate(edits):
            swapped[index, :, check_units(units, count)] = True
        edited = torch.where(swapped, partner_codes, codes).flatten(0, 1)  # (edit · batch, unit, dim)
        edit_numbers = torch.arange(len(edits), device=codes.device).repeat_interleave(len(images))
        rows = torch.arange(len(images), device=codes.device).repeat(len(edits))
        total = before.new_zeros(len(edits), *before.shape[2:])  # (edit, height, width)
        for chunk, after in decode_chunks(generative, edited, start, rows, sampling=sampling, batch=batch):
            total.index_add_(0, edit_numbers[chunk], (after - before[rows[chunk]]).abs().mean(1))
        return total / len(images)
