"""Local isometry: do codes keep the small distances between images? Two candidates, under names of their own.

The published definition of the LI score was not verified: that it is in [0, 1] and higher is better is known, the
formula is not. These two are candidates of ours; do not print either beside a published LI score.

Both see every row with its nearest neighbours in pixel space (Euclidean). Cost grows with rows^2 x pixels: a few
thousand rows are enough.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, UInt8
from sklearn.neighbors import NearestNeighbors

from unweave.evaluation.metrics.checks import as_codes, check_tables
from unweave.types import TableLike, UnitTable, check_finite

ImageTable = Float[np.ndarray, "rows ..."] | UInt8[np.ndarray, "rows ..."]
"""Images of any shape, or flat: rows x pixels."""


def li_corr(images: ImageTable, codes: TableLike, *, neighbours: int = 20) -> dict[str, float]:
    """Do distances between codes follow those between images? In [0, 1], higher is better, chance about 0.

    Per row the Pearson correlation between the distances to its nearest images in pixels and in codes; the mean over
    rows, not below 0. `li_corr_whitened` is the same after the codes are whitened (uncorrelated, variance 1), which
    forgives a scale per unit. A candidate of ours: the published definition of the LI score was not verified, nor its
    number of neighbours (20 is our choice).

    1 for an isometry of the neighbourhoods up to scale; turning and mirroring all codes changes nothing. A row whose
    neighbours are all equally far in pixels is left out, one whose neighbours are all equally far in codes counts 0.
    Known defect: neighbours at nearly equal distances (images of many independent dimensions) leave little but noise to
    correlate with, and a scale that differs from row to row is invisible to a correlation.

    Raises ValueError where the numbers are not finite, rows differ, there are too few rows, or no row has neighbours at
    different distances.
    """
    codes = as_codes(codes)
    _check_neighbourhoods(images, codes, neighbours)
    plain_and_whitened = np.hstack([codes, _whitened(codes.astype(np.float64))])
    pairs = []
    for pixels, offsets in _neighbourhoods(images, plain_and_whitened, neighbours):
        pixel_distances = np.sqrt(np.diag(pixels))
        if np.ptp(pixel_distances) > 1e-9 * pixel_distances.max():
            plain, whitened = np.split(offsets**2, [codes.shape[1]], axis=1)
            pairs.append([_correlation(pixel_distances, np.sqrt(part.sum(1))) for part in (plain, whitened)])
    if not pairs:
        raise ValueError(
            f"the {neighbours} nearest images of every row are equally far away, so there is nothing to correlate; "
            "pass more neighbours, or leave out copies of the same image."
        )
    plain, whitened = np.mean(pairs, axis=0).clip(0, 1)
    return {"li_corr": float(plain), "li_corr_whitened": float(whitened)}


def li_cond(images: ImageTable, codes: TableLike, *, neighbours: int = 20) -> dict[str, float]:
    """Does a step in any direction of the codes move the image equally far, everywhere? In [0, 1], higher is better.

    Per row a linear map from codes to pixels is fitted to its neighbours (least squares through the row itself); with
    its d singular values s, the row's score is (sum s)^2 / (d sum s^2), 1 if and only if all are equal, times
    min(m, M) / max(m, M) for m the mean of s and M the median of m over rows. The mean over rows. A candidate of ours:
    the published definition of the LI score was not verified, nor its number of neighbours (20 is our choice).

    1 for codes that are isometric to the images up to one scale; turning and mirroring all codes changes nothing. A
    unit that no neighbour moves has s = 0. Known defects: chance is 0.5 to 0.8, not 0, since the map that fits random
    codes is random too, and its singular values are the more alike the more dimensions the images have; so look at
    `li_corr` beside it. A unit too many scores as badly as a unit too short.

    Raises ValueError where the numbers are not finite, rows differ, or there are fewer neighbours than units.
    """
    codes = as_codes(codes)
    _check_neighbourhoods(images, codes, neighbours)
    if neighbours < codes.shape[1]:
        raise ValueError(
            f"neighbours must be {codes.shape[1]} or more, the number of units, got {neighbours}: "
            "a linear map of that many dimensions is fitted to them."
        )
    singular = []
    for pixels, offsets in _neighbourhoods(images, codes.astype(np.float64), neighbours):
        inverse = np.linalg.pinv(offsets)  # (unit, neighbour)
        singular.append(np.sqrt(np.linalg.eigvalsh(inverse @ pixels @ inverse.T).clip(min=0)))
    s = np.array(singular)  # (row, unit)
    square, size = (s**2).sum(1), s.mean(1)
    alike = s.sum(1) ** 2 / (s.shape[1] * np.where(square > 0, square, 1))
    middle = np.median(size)
    largest = np.maximum(size, middle)
    steady = np.minimum(size, middle) / np.where(largest > 0, largest, 1)
    return {"li_cond": float((alike * steady).mean().clip(0, 1))}


def _neighbourhoods(
    images: ImageTable, codes: UnitTable, neighbours: int
) -> Iterator[tuple[Float[np.ndarray, "neighbours neighbours"], Float[np.ndarray, "neighbours units"]]]:
    """Per row the inner products of its nearest images' offsets from it, and their offsets in codes."""
    flat = images.reshape(len(images), -1)
    flat = flat.astype(np.float32) if flat.dtype == np.uint8 else flat
    nearest = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(flat).kneighbors(return_distance=False)
    for row, others in enumerate(nearest):
        offsets = flat[others].astype(np.float64) - flat[row]
        yield offsets @ offsets.T, codes[others] - codes[row]


def _check_neighbourhoods(images: ImageTable, codes: UnitTable, neighbours: int) -> None:
    check_tables(codes, np.zeros((len(images), int(images.size > 0)), np.int64))
    check_finite(images, "images")
    if not 2 <= neighbours < len(images):
        raise ValueError(
            f"neighbours must be in 2..{len(images) - 1} for {len(images)} rows, got {neighbours}; pass more rows."
        )


def _whitened(codes: Float[np.ndarray, "rows units"]) -> Float[np.ndarray, "rows units"]:
    """The codes turned to their principal axes, each of variance 1; axes of no variance are 0."""
    centred = np.where(np.ptp(codes, axis=0) > 0, codes - codes.mean(0), 0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    scale = np.where(s > 1e-9 * s.max(initial=0), np.sqrt(len(codes)), 0)
    return np.pad(u * scale, ((0, 0), (0, codes.shape[1] - u.shape[1])))


def _correlation(first: Float[np.ndarray, "n"], second: Float[np.ndarray, "n"]) -> float:
    if np.ptp(second) <= 1e-9 * second.max():
        return 0.0
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))
