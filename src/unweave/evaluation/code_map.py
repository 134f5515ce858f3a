"""Codes of images in two dimensions, the images that are far from all others, and why; and images that are nearly one.

The map is UMAP's (McInnes, Healy, Melville, arXiv:1802.03426), an extra, or the first two principal components.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

NEIGHBOURS = 10  # whose mean distance says how far from others a row is
FAR_OUT = 3.0  # interquartile ranges above the third quartile of log distances (Tukey's "far out")
CANDIDATES = 500  # pairs of rows of nearest codes, that are compared as pictures
ALIKE_BELOW = 0.1  # of the difference between two random pictures; below it they are nearly the same
UNUSUAL_FROM = 4.0  # robust deviations from the median, from which a measurement is unusual

FlatCodes = Float[np.ndarray, "row number"]
Drawing = Literal["UMAP", "PCA"]


@dataclass(frozen=True)
class CodePart:
    """The joint codes of a factor or a unit, and what it is called."""

    name: str
    codes: FlatCodes


@dataclass(frozen=True)
class CodeMap:
    places: Float[np.ndarray, "row 2"]
    drawing: Drawing


def has_umap() -> bool:
    """Whether the extra is there."""
    return find_spec("umap") is not None


def map_codes(codes: FlatCodes, seed: int = 0, neighbours: int = 15) -> CodeMap:
    """Places in two dimensions: UMAP where the extra [map] is installed and there are 20 rows, else PCA."""
    codes = codes.astype(np.float64)
    if not has_umap() or len(codes) < 20:
        centred = codes - codes.mean(0)
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        places = centred @ directions[:2].T
        return CodeMap(np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), "PCA")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread
        import umap

        reducer = umap.UMAP(n_neighbors=min(neighbours, len(codes) - 1), random_state=seed, n_jobs=1)
        return CodeMap(np.asarray(reducer.fit_transform(codes.astype(np.float32)), np.float64), "UMAP")


def joint_codes(parts: Sequence[CodePart]) -> FlatCodes:
    """All parts beside each other, each divided by the root of its total variance; one that does not vary is 0."""
    scaled = []
    for part in parts:
        centred = part.codes.astype(np.float64) - part.codes.mean(0)
        scaled.append(centred / (np.sqrt(np.square(centred).sum(1).mean()) or 1.0))
    return np.concatenate(scaled, 1)


def remoteness(codes: FlatCodes) -> Float[np.ndarray, "row"]:
    """Of every row the mean distance to its ten nearest others, over the median of that; 0 throughout where that is 0,
    as where most rows are there ten times.
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(NEIGHBOURS, len(codes) - 1)
    distances, _ = NearestNeighbors(n_neighbors=count).fit(codes).kneighbors()
    means, median = distances.mean(1), np.median(distances.mean(1))
    return means / median if median > 0 else np.zeros(len(codes))


def far_out(values: Float[np.ndarray, "row"]) -> Bool[np.ndarray, "row"]:
    """Which values lie more than three interquartile ranges above the third quartile, on a logarithmic scale."""
    logs = np.log(np.maximum(values, 1e-9))
    first, third = np.quantile(logs, [0.25, 0.75])
    return logs > third + FAR_OUT * max(third - first, 1e-6)


@dataclass(frozen=True)
class Outlier:
    """A row that is far from all others."""

    row: int  # position among the codes
    times: float  # its distance to others, in medians
    unusual: list[str]  # parts in which it is far from others, the most first; none where only their combination is


def find_outliers(parts: Sequence[CodePart], most: int) -> list[Outlier]:
    """At most so many rows that are `far_out`, the most remote first, with the parts in which they are."""
    times = remoteness(joint_codes(parts))
    rows = np.flatnonzero(far_out(times))
    rows = rows[np.argsort(-times[rows], kind="stable")][:most]
    if not len(rows):
        return []
    alone = np.stack([remoteness(part.codes.astype(np.float64)) for part in parts])
    outside = np.stack([far_out(values) for values in alone])
    return [
        Outlier(
            int(row),
            float(times[row]),
            [parts[i].name for i in np.argsort(-alone[:, row], kind="stable") if outside[i, row]],
        )
        for row in rows
    ]


def unusual_measurements(
    values: Float[np.ndarray, "measurement"], others: Float[np.ndarray, "row measurement"], names: Sequence[str]
) -> list[str]:
    """In words, the measurements that are four robust deviations or more from the median of others, the most first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of columns that are NaN throughout
        median = np.nanmedian(others, axis=0)
        deviation = 1.4826 * np.nanmedian(np.abs(others - median), axis=0)
        far = np.abs(values - median) / np.where(deviation > 0, deviation, np.nan)
    order = [i for i in np.argsort(-np.nan_to_num(far), kind="stable") if np.nan_to_num(far[i]) >= UNUSUAL_FROM]
    return [f"{names[i]} {values[i]:.2g} (median {median[i]:.2g})" for i in order]


def nearest_pairs(codes: FlatCodes, most: int = CANDIDATES) -> Int[np.ndarray, "pair 2"]:
    """Pairs of rows that are near each other, the nearest first, each once."""
    from sklearn.neighbors import NearestNeighbors

    distances, others = NearestNeighbors(n_neighbors=min(5, len(codes) - 1)).fit(codes).kneighbors()
    rows = np.repeat(np.arange(len(codes)), others.shape[1])
    pairs = np.sort(np.stack([rows, others.reshape(-1)], 1), axis=1)
    order = np.argsort(distances.reshape(-1), kind="stable")
    _, first = np.unique(pairs[order], axis=0, return_index=True)
    return pairs[order][np.sort(first)][:most]


def near_duplicates(
    codes: FlatCodes, flat_images: Callable[[np.ndarray], Float[np.ndarray, "row value"]], seed: int = 0
) -> list[tuple[int, int]]:
    """Pairs of rows whose pictures differ by less than a tenth of what two random ones do (medians of root mean square
    differences), among the 500 pairs of nearest codes; those that differ least first.
    """
    pairs = nearest_pairs(codes)
    rng = np.random.default_rng(seed)
    random = rng.permutation(len(codes))[: 2 * min(64, len(codes) // 2)].reshape(2, -1)
    typical = float(np.median(_difference(flat_images(random[0]), flat_images(random[1]))))
    apart = _difference(flat_images(pairs[:, 0]), flat_images(pairs[:, 1]))
    alike = [i for i in np.argsort(apart, kind="stable") if apart[i] < ALIKE_BELOW * typical]
    return [(int(pairs[i, 0]), int(pairs[i, 1])) for i in alike]


def _difference(one: Float[np.ndarray, "row value"], other: Float[np.ndarray, "row value"]) -> Float[np.ndarray, "row"]:
    return np.sqrt(np.square(one - other).mean(1))
