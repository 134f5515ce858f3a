"""Peak signal-to-noise ratio between images and what should be the same images."""

import numpy as np

from unweave.evaluation.metrics.image.mse import ImageStack, UncheckedImages, mse_per_image

MAX_RATIO = 100.0  # dB


def psnr(first: ImageStack, second: UncheckedImages, *, data_range: float | int) -> dict[str, float]:
    """`psnr` is the mean over images of 10 log10(data_range^2 / MSE), in dB, at most 100, higher is better.

    The ratio is taken per image and then averaged, which is at least the ratio of the averaged error. `data_range` is
    the width of the scale of the images: 255 for uint8, 1 for floats in [0, 1], 2 for floats in [-1, 1].

    Identical images would have an infinite ratio, which no mean and no JSON can hold, so every image counts at most
    100 dB (one channel of one pixel of a 64 x 64 image one step of 255 away is 89 dB). `capped` is the share of images
    that the cap holds down, in [0, 1]: where it is not 0 the mean depends on the cap, which is ours.

    Raises ValueError for what `mse` refuses.
    """
    error = mse_per_image(first, second, data_range)
    ratio = -10 * np.log10(np.maximum(error, np.finfo(np.float64).tiny))
    return {"psnr": float(np.minimum(ratio, MAX_RATIO).mean()), "capped": float((ratio > MAX_RATIO).mean())}
