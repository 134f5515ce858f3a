"""Mean squared error between images and what should be the same images."""

import numpy as np
from jaxtyping import Float, UInt8

from unweave.types import check_finite

ImageStack = UInt8[np.ndarray, "rows height width channel"] | Float[np.ndarray, "rows height width channel"]
"""0 .. 255 as stored, or floats whose range is said by `data_range`: 1 for [0, 1], 2 for [-1, 1]."""

UncheckedImages = UInt8[np.ndarray, "..."] | Float[np.ndarray, "..."]
"""Images that must have the dtype and the shape of the others, which the function checks with an error of its own."""

IMAGES_PER_CHUNK = 256  # in double precision


def mse(first: ImageStack, second: UncheckedImages, *, data_range: float | int | None = None) -> dict[str, float]:
    """The mean squared difference of images scaled to [0, 1], in [0, 1], lower is better.

    Mean over images, pixels and channels of ((first - second) / data_range)^2. `data_range` is the width of the scale
    of the images: 255 for uint8, where it may be left out, 1 for floats in [0, 1], 2 for floats in [-1, 1].

    Raises ValueError for images of other shapes or dtypes, no images, numbers that are not finite, and floats without
    a data range. Known defect: blurred images do well, and a shift of one pixel looks like a large error.
    """
    return {"mse": float(mse_per_image(first, second, data_range).mean())}


def mse_per_image(
    first: ImageStack, second: UncheckedImages, data_range: float | int | None
) -> Float[np.ndarray, "rows"]:
    """The mean squared difference of every image, scaled as in `mse`."""
    scale = checked_data_range(first, second, data_range)
    chunks = [slice(start, start + IMAGES_PER_CHUNK) for start in range(0, len(first), IMAGES_PER_CHUNK)]
    differences = (first[chunk].astype(np.float64) - second[chunk] for chunk in chunks)
    return np.concatenate([np.square(difference / scale).mean((1, 2, 3)) for difference in differences])


def checked_data_range(first: np.ndarray, second: np.ndarray, data_range: float | int | None) -> float:
    """The data range of two stacks of images that can be compared.

    Raises ValueError for what `mse` refuses.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        raise ValueError(
            f"images must come in two stacks of one shape and dtype, got {first.dtype} of shape {first.shape} and "
            f"{second.dtype} of shape {second.shape}."
        )
    if first.ndim != 4 or not first.size:
        raise ValueError(
            f"images must be [rows, height, width, channel] with one row or more, got shape {first.shape}; "
            "a single image is image[None]."
        )
    if first.dtype == np.uint8:
        if data_range not in (None, 255):
            raise ValueError(f"uint8 images have the data range 255, got {data_range}.")
        return 255.0
    check_finite(first, "images")
    check_finite(second, "images")
    if data_range is None or not 0 < data_range < np.inf:
        raise ValueError(
            f"{first.dtype} images need a positive data_range, got {data_range}: 1 for [0, 1], 2 for [-1, 1]."
        )
    return float(data_range)
