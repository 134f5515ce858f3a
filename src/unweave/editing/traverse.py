"""Units set to one code after another, everything else fixed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_start, decode_chunks
from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, encode_images
from unweave.runs.units import check_units
from unweave.tensors import Images


def traverse_units(
    method: Method,
    images: Images,
    edits: Sequence[Sequence[int]],
    points: Sequence[Float[Tensor, "step _ dim"]],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Float[Tensor, "edit step batch channel height width"]:
    """The images with the units of one edit at a time set to each of its points [step, its units, dim]; in [-1, 1].

    Every step has the other units and the start of its image. `start` is `make_start(method, images, ...)`, inverted or
    seeded. At most `batch` images are decoded at a time, over edits, steps and images together. Raises TypeError for a
    method without a decoder, ValueError for a unit that is not there and for points of another number, length or
    dimension.
    """
    if len(edits) != len(points):
        raise ValueError(f"points must have rows for each of the {len(edits)} edits, got {len(points)}.")
    if not points or not len(points[0]):
        raise ValueError("points must have at least one row for at least one edit, got none.")
    generative = check_generative(method)
    check_start(start, len(images))
    with evaluating(generative):
        codes = encode_images(generative, images, batch)
        steps = len(points[0])
        edited = codes.repeat(len(edits), steps, 1, 1, 1)  # (edit, step, batch, unit, dim)
        for index, (units, codes_of_units) in enumerate(zip(edits, points)):
            units = check_units(units, codes.shape[1])
            if codes_of_units.shape[2] != codes.shape[2]:
                raise ValueError(
                    f"points must be of dimension {codes.shape[2]}, as the units are, got {codes_of_units.shape[2]}."
                )
            edited[index, :, :, units] = codes_of_units.to(codes)[:, None]
        rows = torch.arange(len(images), device=codes.device).repeat(len(edits) * steps)
        flat = edited.flatten(0, 2)
        chunks = [chunk for _, chunk in decode_chunks(generative, flat, start, rows, sampling=sampling, batch=batch)]
        return torch.cat(chunks).unflatten(0, (len(edits), steps, len(images)))
