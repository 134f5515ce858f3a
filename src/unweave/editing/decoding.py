"""What every edit shares: checks that help, and encoding and decoding in chunks in eval mode.

Edits are deterministic: eta 0, and an x_T that the caller states (see `make_start`).
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unweave.method import Generative, Sampling, Start
from unweave.runs.codes import check_batch
from unweave.tensors import Images, Units


def check_partners(images: Images, partners: Float[Tensor, "..."]) -> None:
    """Raises ValueError unless there is one partner of the same shape for every image."""
    if images.shape != partners.shape:
        raise ValueError(
            f"images and partners must have one shape, got {tuple(images.shape)} and {tuple(partners.shape)}: "
            "give every image one partner of the same size."
        )


def check_start(start: Start, count: int) -> Start:
    """A start for `count` images. Raises TypeError or ValueError when it is not."""
    if start is None:
        return start
    if not isinstance(start, Tensor):
        raise TypeError(f"start must be None or a tensor with a row for every image, got {type(start).__name__}.")
    if len(start) != count:
        raise ValueError(
            f"start has {len(start)} rows for {count} images: make it with make_start(method, images, ...)."
        )
    return start


def decode(method: Generative, units: Units, start: Start, *, sampling: Sampling, batch: int) -> Images:
    """The images of units, row i from row i of the start, at most `batch` of them at a time."""
    rows = torch.arange(len(units), device=units.device)
    return torch.cat(
        [images for _, images in decode_chunks(method, units, start, rows, sampling=sampling, batch=batch)]
    )


def decode_chunks(
    method: Generative, units: Units, start: Start, rows: Int[Tensor, "batch"], *, sampling: Sampling, batch: int
) -> Iterator[tuple[slice, Images]]:
    """Chunks of at most `batch` images, each with its slice of the rows: units[i] is decoded from start[rows[i]].

    Raises ValueError when sampling.eta is not 0.
    """
    if sampling.eta != 0:
        raise ValueError(f"sampling.eta must be 0 for an edit, got {sampling.eta}: edits are deterministic.")
    for first in range(0, len(units), check_batch(batch)):
        chunk = slice(first, first + batch)
        chunk_start = start[rows[chunk].to(start.device)] if isinstance(start, Tensor) else start
        yield chunk, method.decode(units[chunk], chunk_start, sampling)
