"""The start of an edit: what a decoder begins from besides the units (x_T of a diffusion model)."""

import torch
from torch import Tensor

from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, encode_images
from unweave.tensors import Images


def make_start(method: Method, images: Images, *, sampling: Sampling, seed: int | None, batch: int = 64) -> Start:
    """The start of an edit of these images: inverted when `seed` is None, else random and reproducible.

    Edits use eta 0 and a stated x_T. The inverted one keeps what the units do not hold, so the unedited image comes
    back; a seeded one shows what the units alone determine. The seed is drawn on the CPU: the same start on every
    machine, if `method.start` draws where its generator is. Raises TypeError for a method without a decoder.
    """
    generative = check_generative(method)
    with evaluating(generative):
        if seed is not None:
            return generative.start(len(images), torch.Generator().manual_seed(seed))
        units = encode_images(generative, images, batch)
        chunks = zip(images.split(batch), units.split(batch))
        starts = [generative.invert(image_chunk, unit_chunk, sampling) for image_chunk, unit_chunk in chunks]
        return torch.cat(starts) if isinstance(starts[0], Tensor) else starts[0]


def start_label(seed: int | None) -> str:
    """Which x_T an edit began from."""
    return "inverted x_T" if seed is None else f"x_T of seed {seed}"


def start_note(seed: int | None, start: Start) -> str:
    """The same in brackets behind a title; nothing where a decoder begins from the units alone."""
    return "" if start is None else f" ({start_label(seed)})"
