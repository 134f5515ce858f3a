"""Kernel distance between two sets of images, in the space of features that the caller names."""

import numpy as np
from jaxtyping import Float

from unweave.evaluation.metrics.image.frechet import FeatureExtractor, check_same_dim, extract_features
from unweave.evaluation.metrics.image.mse import ImageStack, UncheckedImages


def kernel_distance(
    real: ImageStack,
    other: UncheckedImages,
    features: FeatureExtractor,
    *,
    seed: int = 0,
    subsets: int = 100,
    size: int = 1_000,
    batch: int = 256,
) -> dict[str, float]:
    """`kernel_distance` is the squared maximum mean discrepancy of the features of two sets, 0 for equal distributions.

    The unbiased estimate, mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over pairs of different images, with the
    kernel (x.y / dim + 1)^3 of arXiv:1801.01401; lower is better, and a little below 0 can happen. It is
    the mean over `subsets` draws of `size` images from each set, without replacement within a draw;
    `kernel_distance_std` is the standard deviation over the draws (ddof 1; 0 for one draw), not an interval. Kernel and
    default draws are from memory, not checked against the paper.

    This is a KID only where `features` is the pool3 layer of the Inception network that KID is defined by; else say
    which features they are, and never call it KID. Unlike the Fréchet distance it has no bias on few images. It is not
    invariant to the scale of the features, so values under different features do not compare.

    `features` is called on `batch` images at a time. Raises ValueError for a size below 2 or above the number of images
    in a set, no subsets, and features that are not finite or not [rows, dim] of one dim.
    """
    if subsets < 1 or not 2 <= size <= min(len(real), len(other)):
        raise ValueError(
            f"expected 1 subset or more, of 2 .. {min(len(real), len(other))} images (the smaller set), "
            f"got {subsets} of {size}; lower `size`, and say so beside the result."
        )
    random = np.random.default_rng(seed)
    first, second = extract_features(real, features, batch), extract_features(other, features, batch)
    check_same_dim(first, second)
    draws = [
        kernel_distance_between_features(
            first[random.choice(len(first), size, replace=False)],
            second[random.choice(len(second), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return {
        "kernel_distance": float(np.mean(draws)),
        "kernel_distance_std": float(np.std(draws, ddof=1)) if subsets > 1 else 0.0,
    }


def kernel_distance_between_features(
    first: Float[np.ndarray, "rows dim"], second: Float[np.ndarray, "others dim"]
) -> float:
    """The unbiased estimate on two tables of features, of two or more rows each."""
    cross = _kernel(first, second).mean()
    return float(_mean_kernel_of_pairs(first) + _mean_kernel_of_pairs(second) - 2 * cross)


def _mean_kernel_of_pairs(x: Float[np.ndarray, "rows dim"]) -> float:
    """The mean kernel over pairs of different rows."""
    kernel = _kernel(x, x)
    return float((kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1)))


def _kernel(x: Float[np.ndarray, "rows dim"], y: Float[np.ndarray, "others dim"]) -> Float[np.ndarray, "rows others"]:
    return (x @ y.T / x.shape[1] + 1) ** 3
