"""Evidence that units belong together: their codes depend on each other, and they change the same thing."""

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.vq import kmeans2
from scipy.stats import rankdata

MAX_BINS = 16
ROWS_OF_CELL = 8  # rows in a cell of two binned units, at least, on average
SHUFFLES = 5

UnitCodes = Float[np.ndarray, "rows unit dim"]
Effects = Float[np.ndarray, "unit pair channel height width"]
"""What a swap of each unit alone changes in pictures, pixels in [0, 1], in the same pairs of images for all units."""

Overlap = Float[np.ndarray, "unit unit pair pair"]
"""Of the change that one unit makes in one pair and that of another in another, the square of their inner product.
Summed over pairs it is the inner product of the second moments of both units' effects, over units that of groups."""


def dependence(codes: UnitCodes, rng: np.random.Generator) -> Float[np.ndarray, "unit unit"]:
    """How much each two units tell of each other, in [0, 1]: 1 - exp(-2 I), which for Gaussians is r squared.

    I is their mutual information in nats, each in at most 16 bins (of as many rows, or of a unit that is a vector the
    cells of k-means), less its mean over five shuffles of the rows.
    """
    bins = int(np.clip(np.sqrt(len(codes) / ROWS_OF_CELL), 2, MAX_BINS))
    binned = np.stack([_binned(codes[:, unit], bins, rng) for unit in range(codes.shape[1])], 1)
    chance = np.mean([_information(rng.permuted(binned, axis=0), bins) for _ in range(SHUFFLES)], axis=0)
    shared = 1 - np.exp(-2 * np.maximum(_information(binned, bins) - chance, 0))
    np.fill_diagonal(shared, 1.0)
    return shared


def likeness(overlap: Float[np.ndarray, "unit unit"]) -> Float[np.ndarray, "unit unit"]:
    """How far units change the same thing, in [0, 1], from the inner products of the second moments of their effects.

    Their cosine: the sum of the squared cosines of the angles between the principal directions of both, weighted by the
    variances along these (the RV coefficient; Robert and Escoufier, Applied Statistics 25, 1976). A unit without effect
    is like no other.
    """
    size = np.sqrt(overlap.diagonal())
    return overlap / np.maximum(np.outer(size, size), 1e-24)


def overlap_of_places(effects: Effects) -> Overlap:
    """The overlap of what units change at each place, over channels: the colour does not count, so that cosine and sine
    of a hue are alike.
    """
    units, pairs, channels = effects.shape[:3]
    changes = effects.reshape(units, pairs * channels, -1)
    products = np.zeros((units, units, pairs, pairs), np.float32)
    for i, j in _pairs(units):
        squares = np.square(changes[i] @ changes[j].T).reshape(pairs, channels, pairs, channels)
        products[i, j] = squares.sum((1, 3))
        products[j, i] = products[i, j].T
    return products


def overlap_of_pixels(effects: Effects) -> Overlap:
    """The overlap of what units change in each pixel: place and colour count."""
    changes = effects.reshape(*effects.shape[:2], -1)
    products = np.zeros((len(changes), len(changes), *2 * changes.shape[1:2]), np.float32)
    for i, j in _pairs(len(changes)):
        products[i, j] = np.square(changes[i] @ changes[j].T)
        products[j, i] = products[i, j].T
    return products


def _pairs(units: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(units) for j in range(i + 1)]


def _information(binned: Int[np.ndarray, "rows unit"], bins: int) -> Float[np.ndarray, "unit unit"]:
    """The mutual information of every two columns, in nats."""
    marks = np.eye(bins, dtype=np.float32)[binned].reshape(len(binned), -1)
    joint = (marks.T @ marks / len(binned)).reshape(binned.shape[1], bins, binned.shape[1], bins).astype(np.float64)
    share = joint.sum(3, keepdims=True)[:, :, :1]  # (unit, bin, 1, 1)
    expected = share * share[:, :, 0, 0][None, None]
    return (joint * np.log(np.where(joint > 0, joint / np.maximum(expected, 1e-12), 1.0))).sum((1, 3))


def _binned(unit: Float[np.ndarray, "rows dim"], bins: int, rng: np.random.Generator) -> Int[np.ndarray, "rows"]:
    if unit.shape[1] == 1:
        return ((rankdata(unit[:, 0]) - 1) * bins // len(unit)).astype(np.int64)
    return kmeans2(unit.astype(np.float64), bins, minit="++", seed=rng)[1]
