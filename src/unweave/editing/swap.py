"""Units of one image in the place of another's."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from unweave.editing.decoding import (
    check_generative,
    check_partners,
    check_start,
    check_units,
    decode,
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
