"""Fréchet distance between two sets of images, in the space of features that the caller names."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from unweave.evaluation.metrics.image.mse import ImageStack, UncheckedImages
from unweave.types import check_finite

FeatureExtractor = Callable[[np.ndarray], np.ndarray]
"""Images [rows, height, width, channel] -> float features [rows, dim]."""


def frechet_distance(
    real: ImageStack, other: UncheckedImages, features: FeatureExtractor, *, batch: int = 256
) -> dict[str, float]:
    """The squared Fréchet distance between Gaussians fitted to the features of two sets, at least 0, lower is better.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), means and covariances (ddof 1) of the features over each set; in the
    squared units of the features. arXiv:1706.08500 (formula from memory, not checked against the paper). The trace of
    (S1 S2)^(1/2) is the sum of the singular values of R1 R2^T, S = R^T R by QR: the roots of the eigenvalues of the
    symmetric form S1^(1/2) S2 S1^(1/2), without the rounding errors that squaring brings.

    This is a FID only where `features` is the pool3 layer of the Inception network that FID is defined by; else say
    which features they are, and never call it FID. Values under different features, or different numbers of images, do
    not compare: the distance is too large on few images, most of all with no more rows than features.

    `features` is called on `batch` images at a time. The two sets may differ in length and the order of rows does not
    matter. Raises ValueError for fewer than 2 images in a set, and for features that are not finite or not
    [rows, dim] of one dim.
    """
    first, second = extract_features(real, features, batch), extract_features(other, features, batch)
    if min(len(first), len(second)) < 2:
        raise ValueError(f"a covariance needs 2 images or more, got {len(first)} and {len(second)}.")
    check_same_dim(first, second)
    return {"frechet_distance": frechet_between_features(first, second)}


def frechet_between_features(first: Float[np.ndarray, "rows dim"], second: Float[np.ndarray, "others dim"]) -> float:
    """The distance between two tables of features, of two or more rows each."""
    m1, m2 = first.mean(0), second.mean(0)
    r1, r2 = _covariance_root(first - m1), _covariance_root(second - m2)
    trace = np.square(r1).sum() + np.square(r2).sum() - 2 * np.linalg.svd(r1 @ r2.T, compute_uv=False).sum()
    return float(np.square(m1 - m2).sum() + max(trace, 0.0))


def extract_features(images: UncheckedImages, features: FeatureExtractor, batch: int) -> Float[np.ndarray, "rows dim"]:
    """The features of all images in double precision. Raises ValueError for none, wrong shapes or numbers."""
    if not len(images) or batch < 1:
        raise ValueError(f"expected images and a positive batch, got {len(images)} images and batch {batch}.")
    parts = [np.asarray(features(images[start : start + batch])) for start in range(0, len(images), batch)]
    wrong = [part.shape for part in parts if part.ndim != 2 or part.shape[1] != parts[0].shape[-1]]
    if wrong or sum(map(len, parts)) != len(images) or not parts[0].size:
        raise ValueError(
            f"features must be [rows, dim] with one row per image and one dim, got shapes {wrong or parts[0].shape} "
            f"for {len(images)} images in batches of {batch}."
        )
    table = np.concatenate(parts).astype(np.float64)
    check_finite(table, "features")
    return table


def check_same_dim(first: np.ndarray, second: np.ndarray) -> None:
    """Raises ValueError unless both tables of features have one dim."""
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"the features of the two sets have dim {first.shape[1]} and {second.shape[1]}, but must have one; "
            "are the images of one size?"
        )


def _covariance_root(centred: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, "rank dim"]:
    """R with R^T R the covariance."""
    return np.asarray(np.linalg.qr(centred / np.sqrt(len(centred) - 1), mode="r"))
