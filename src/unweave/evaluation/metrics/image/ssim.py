"""Structural similarity of images to what should be the same images, equal to scikit-image's."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import correlate1d

from unweave.evaluation.metrics.image.mse import IMAGES_PER_CHUNK, ImageStack, UncheckedImages, checked_data_range

K1, K2 = 0.01, 0.03  # of the paper
SIGMA, RADIUS = 1.5, 5  # pixels; the paper's 11 x 11 Gaussian window

Window = Float[np.ndarray, "side"]


def ssim(first: ImageStack, second: UncheckedImages, *, data_range: float | int) -> dict[str, float]:
    """The mean structural similarity under the paper's Gaussian window, in [-1, 1], higher is better.

    Mean over images, channels and windows x, y of (2 mx my + C1)(2 cov + C2) / ((mx^2 + my^2 + C1)(vx + vy + C2)),
    C1 = (0.01 data_range)^2, C2 = (0.03 data_range)^2, the means, variances and covariance weighted by a Gaussian of
    11 x 11 pixels and sigma 1.5; only windows that lie inside the image. Wang et al., "Image quality assessment: from
    error visibility to structural similarity", IEEE TIP 13(4), 2004 (from memory, not checked against the paper); equal
    to scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    channel_axis=-1) on each image.

    `data_range` is the width of the scale of the images: 255 for uint8, 1 for floats in [0, 1], 2 for floats in
    [-1, 1]. Channels are compared one by one, as in scikit-image; the paper has grey images. Computed in double
    precision. Known defect: the many definitions in use differ in window and grey conversion by several hundredths.

    Raises ValueError for images smaller than the window, and for what `mse` refuses.
    """
    scale = checked_data_range(first, second, data_range)
    window = np.exp(-0.5 * np.square(np.arange(-RADIUS, RADIUS + 1) / SIGMA))
    window = window / window.sum()
    height, width = first.shape[1:3]
    if min(height, width) < len(window):
        raise ValueError(
            f"images of {height} x {width} pixels are smaller than the window of {len(window)} x {len(window)}; "
            "compare larger images, or use mse and psnr."
        )
    chunks = [slice(start, start + IMAGES_PER_CHUNK) for start in range(0, len(first), IMAGES_PER_CHUNK)]
    by_image = [_similarity_map(first[chunk], second[chunk], scale, window).mean((1, 2, 3)) for chunk in chunks]
    return {"ssim": float(np.concatenate(by_image).mean())}


def _similarity_map(x: ImageStack, y: UncheckedImages, scale: float, window: Window) -> Float[np.ndarray, "..."]:
    """The similarity around every pixel whose window lies inside the image."""
    x, y = x.astype(np.float64) / scale, y.astype(np.float64) / scale
    mx, my = _window_means(x, window), _window_means(y, window)
    variances = _window_means(x * x + y * y, window) - mx * mx - my * my
    covariance = _window_means(x * y, window) - mx * my
    mean_term = (2 * mx * my + K1**2) / (mx * mx + my * my + K1**2)
    return mean_term * (2 * covariance + K2**2) / (variances + K2**2)


def _window_means(x: Float[np.ndarray, "rows height width channel"], window: Window) -> Float[np.ndarray, "..."]:
    """The weighted mean over the window around every pixel, without those near the edges."""
    pad = len(window) // 2
    rows = correlate1d(x, window, axis=1)[:, pad:-pad]
    return correlate1d(rows, window, axis=2)[:, :, pad:-pad]
