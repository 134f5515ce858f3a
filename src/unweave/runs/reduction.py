"""Vector units -> one number per unit: the score on the unit's first principal component."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave.types import UnitTable

MOST_VALUES = 64  # of a discrete unit
ROWS_A_VALUE = 10  # at least, on average: else rows are too few to tell


class Reduction(NamedTuple):
    """How a vector unit becomes a number: (codes - mean) . direction. Stored with a run."""

    mean: Float[np.ndarray, "unit dim"]
    direction: Float[np.ndarray, "unit dim"]  # of length 1; the largest entry is positive
    explained: Float[np.ndarray, "unit"]  # share of the unit's variance that is kept, in [0, 1]


def fit(codes: Float[np.ndarray, "rows unit dim"]) -> Reduction:
    """The first principal component of every unit over these rows, mean-centred and not whitened.

    DisDiff's evaluation does the same with scikit-learn's PCA, whose sign is arbitrary; here it is fixed. Units with
    dim 1 pass through unchanged. A unit that never varies keeps its first axis and counts as fully explained. Known
    defect: a circular or categorical factor that needs two directions of one unit loses one; look at `explained`.
    """
    z = codes.astype(np.float64)
    _, units, dim = z.shape
    if dim == 1:
        return Reduction(np.zeros((units, 1)), np.ones((units, 1)), np.ones(units))
    mean = z.mean(0)
    parts = [_component(z[:, unit] - mean[unit]) for unit in range(units)]
    directions, shares = zip(*parts)
    return Reduction(mean, np.stack(directions), np.array(shares))


def apply(reduction: Reduction, codes: Float[np.ndarray, "rows unit dim"]) -> UnitTable:
    """One number per row and unit, in the dtype of the codes and the units of their axes."""
    if codes.shape[1:] != reduction.direction.shape:
        raise ValueError(
            f"codes have (unit, dim) = {codes.shape[1:]}, but this reduction was fitted to {reduction.direction.shape}."
        )
    scores = np.einsum("rud,ud->ru", codes - reduction.mean, reduction.direction)
    return scores.astype(codes.dtype)


def few_values(column: Float[np.ndarray, "rows"]) -> Float[np.ndarray, "value"] | None:
    """The values of a discrete unit, rising; None where it is none: it is constant, or takes more than 64 values, or
    more than a tenth of the rows.
    """
    values = np.unique(column).astype(np.float64)
    return values if 2 <= len(values) <= min(MOST_VALUES, len(column) // ROWS_A_VALUE) else None


def _component(z: Float[np.ndarray, "rows dim"]) -> tuple[Float[np.ndarray, "dim"], float]:
    values, vectors = np.linalg.eigh(z.T @ z)  # rising
    if values[-1] <= 0:
        return np.eye(z.shape[1])[0], 1.0
    direction = vectors[:, -1]
    return direction * np.sign(direction[np.abs(direction).argmax()]), float(values[-1] / values.clip(min=0).sum())
