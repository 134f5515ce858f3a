"""Some units set to given values, everything else fixed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.traverse import traverse_units
from unweave.method import Method, Sampling, Start
from unweave.tensors import Images


def adjust_units(
    method: Method,
    images: Images,
    edits: Sequence[Sequence[int]],
    values: Sequence[Float[Tensor, "_ dim"]],
    *,
    sampling: Sampling,
    start: Start,
    batch: int = 64,
) -> Images:
    """The images with every listed group of units set to its values [its units, dim], all at once; in [-1, 1].

    `start` is `make_start(method, images, ...)`, inverted or seeded. Raises TypeError for a method without a decoder,
    ValueError for a unit that is not there.
    """
    if not edits:
        return reconstruct_images(method, images, sampling=sampling, start=start, batch=batch)
    units = [unit for edit in edits for unit in edit]
    step = torch.cat(list(values))[None]  # (step, unit, dim)
    return traverse_units(method, images, [units], [step], sampling=sampling, start=start, batch=batch)[0, 0]
