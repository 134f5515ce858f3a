"""Some units set to given values, everything else fixed."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import check_generative, check_start, check_units, decode, encode
from unweave.method import Method, Sampling, Start, evaluating
from unweave.shapes import Images


def adjust(
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

    `start` is `begin(method, images, ...)`, inverted or seeded. Raises TypeError for a method without a decoder,
    ValueError for a unit that is not there.
    """
    generative = check_generative(method)
    check_start(start, len(images))
    with evaluating(generative):
        edited = encode(generative, images, batch).clone()
        for units, value in zip(edits, values):
            edited[:, check_units(units, edited.shape[1])] = value.to(edited)
        return decode(generative, edited, start, sampling=sampling, batch=batch)
