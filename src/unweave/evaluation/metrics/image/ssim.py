"""Structural similarity of images to what should be the same images, equal to scikit-image's."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import correlate1d

from unweave.evaluation.metrics.image.mse import CHUNK, Images, Others, check

K1, K2 = 0.01, 0.03  # of the paper
SIGMA, RADIUS = 1.5, 5  # pixels; the paper's 11 x 11 Gaussian window
SIDE = 7  # pixels; scikit-image's uniform window

Window = Float[np.ndarray, "side"]


def ssim(first: Images, second: Others, *, data_range: float | int) -> dict[str, float]:
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
    window = np.exp(-0.5 * np.square(np.arange(-RADIUS, RADIUS + 1) / SIGMA))
    return {"ssim": _mean(first, second, data_range, window / window.sum(), 1.0)}


def ssim_uniform(first: Images, second: Others, *, data_range: float | int) -> dict[str, float]:
    """The mean structural similarity under a uniform window of 7 x 7 pixels, in [-1, 1], higher is better.

    As `ssim`, but every pixel of the window weighs the same, and variances and covariance are the unbiased ones (49/48
    of the plain ones): equal to scikit-image's structural_similarity(channel_axis=-1) at its defaults. It is not the
    paper's, and a little lower or higher than `ssim` on the same images, so the two do not compare.

    Raises ValueError for images smaller than the window, and for what `mse` refuses.
    """
    return {"ssim_uniform": _mean(first, second, data_range, np.full(SIDE, 1 / SIDE), SIDE**2 / (SIDE**2 - 1))}


def _mean(first: Images, second: Others, data_range: float | int, window: Window, unbiased: float) -> float:
    scale = check(first, second, data_range)
    height, width = first.shape[1:3]
    if min(height, width) < len(window):
        raise ValueError(
            f"images of {height} x {width} pixels are smaller than the window of {len(window)} x {len(window)}; "
            "compare larger images, or use mse and psnr."
        )
    chunks = range(0, len(first), CHUNK)
    similarity = [_map(first[at : at + CHUNK], second[at : at + CHUNK], scale, window, unbiased) for at in chunks]
    return float(np.concatenate([part.mean((1, 2, 3)) for part in similarity]).mean())


def _map(x: Images, y: Others, scale: float, window: Window, unbiased: float) -> Float[np.ndarray, "..."]:
    """The similarity around every pixel whose window lies inside the image."""
    x, y = x.astype(np.float64) / scale, y.astype(np.float64) / scale
    mx, my = _inside(x, window), _inside(y, window)
    variances = unbiased * (_inside(x * x + y * y, window) - mx * mx - my * my)
    covariance = unbiased * (_inside(x * y, window) - mx * my)
    mean_term = (2 * mx * my + K1**2) / (mx * mx + my * my + K1**2)
    return mean_term * (2 * covariance + K2**2) / (variances + K2**2)


def _inside(x: Float[np.ndarray, "rows height width channel"], window: Window) -> Float[np.ndarray, "..."]:
    """The weighted mean over the window around every pixel, without those near the edges."""
    pad = len(window) // 2
    rows = correlate1d(x, window, axis=1)[:, pad:-pad]
    return correlate1d(rows, window, axis=2)[:, :, pad:-pad]
