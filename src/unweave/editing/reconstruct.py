"""Images through the units and back."""

from unweave.editing.decoding import check_start, decode
from unweave.method import Method, Sampling, Start, evaluating
from unweave.runs.codes import check_generative, encode_images
from unweave.tensors import Images


def reconstruct_images(method: Method, images: Images, *, sampling: Sampling, start: Start, batch: int = 64) -> Images:
    """The images decoded from their own units; in [-1, 1].

    `start` is `make_start(method, images, ...)`, inverted or seeded. At most `batch` images are decoded at a time.
    Raises TypeError for a method without a decoder.
    """
    generative = check_generative(method)
    check_start(start, len(images))
    with evaluating(generative):
        units = encode_images(generative, images, batch)
        return decode(generative, units, start, sampling=sampling, batch=batch)
