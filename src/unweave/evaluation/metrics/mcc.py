"""MCC, the mean correlation coefficient: is each factor one unit, up to order, sign and scale?"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from unweave.evaluation.metrics.checks import as_codes, check_tables
from unweave.evaluation.metrics.preparation import random_rotation
from unweave.types import TableLike


def mcc(units: TableLike, factors: TableLike) -> dict[str, float]:
    """The mean correlation coefficient, in [0, 1], higher is better.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.

    Returns
    -------
    dict of str to float
        `mcc`.

    Notes
    -----
    |Pearson correlation| of every unit with every factor; each factor gets a unit of its own so that the sum is largest
    (Hungarian assignment); the mean over factors, where a factor left without a unit counts 0. Written from memory of
    the standard definition, not checked against one paper. Fitted and scored on the same rows, which is optimistic.

    Factors may be real-valued. A constant unit correlates 0 with all, a constant factor is left out. Rows that are few
    raise the chance level: it is the best of all assignments, about sqrt(2 log(units) / rows) for many units.
    Known defect: only for ordered factors. The class numbers of a categorical factor have no order, so its value
    depends on how the classes are named; a hue is a circle and no single unit can correlate 1 with it.

    Raises ValueError where the numbers are not finite, the rows differ, or every factor is constant.
    """
    return {"mcc": _assigned_correlation(units, factors, absolute_correlations)}


def mcc_spearman(units: TableLike, factors: TableLike) -> dict[str, float]:
    """As `mcc`, with |Spearman correlation|: any rising or falling function of a factor scores 1; ties share a rank.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.

    Returns
    -------
    dict of str to float
        `mcc`.
    """
    return {"mcc": _assigned_correlation(units, factors, absolute_rank_correlations)}


ROTATIONS = 1_000


def mcc_rotated(units: TableLike, factors: TableLike, *, seed: int = 0) -> dict[str, float]:
    """`mcc` beside its null: the mean over random rotations of the same code, `rotated`, and the `excess` over it.

    excess = (mcc - rotated) / (1 - rotated), at most 1; 0 is as good as a random rotation, below is worse. The null is
    high where units are few: perfect codes turned at random have 0.90 for two, 0.83 for three, 0.69 for six. The code
    is whitened before it is turned (Haar, 1,000 rotations), so that scale and correlation of the units do not matter
    to the null; a single unit cannot be turned, and its excess is 0. Ours: MCC is reported without a null elsewhere.

    Factors may be real-valued. Known defect: as `mcc`, only for ordered factors. Raises as `mcc`.
    """
    units, factors = as_codes(units), as_codes(factors, "factors")
    score = _assigned_correlation(units, factors, absolute_correlations)
    varying = factors[:, np.ptp(factors, axis=0) > 0].astype(np.float64)
    u, s, _ = np.linalg.svd(_unit_columns(units.astype(np.float64)), full_matrices=False)
    white = u[:, s > 1e-6 * s.max(initial=0)]  # a base of the code, of which every rotation is one too
    correlations = white.T @ _unit_columns(varying)  # (unit, factor)
    random = np.random.RandomState(seed)
    turned = (np.abs(random_rotation(white.shape[1], random) @ correlations) for _ in range(ROTATIONS))
    total = sum(matrix[linear_sum_assignment(matrix, maximize=True)].sum() for matrix in turned)
    null = float(total / (ROTATIONS * varying.shape[1]))
    excess = (score - null) / (1 - null) if white.shape[1] > 1 and null < 1 else 0.0
    return {"mcc": score, "rotated": null, "excess": excess}


def absolute_correlations(
    first: Float[np.ndarray, "rows units"], second: Float[np.ndarray, "rows others"]
) -> Float[np.ndarray, "units others"]:
    """|Pearson correlation| of every column of the first with every column of the second; 0 where one is constant."""
    return np.abs(_unit_columns(first).T @ _unit_columns(second)).clip(max=1)


def absolute_rank_correlations(
    first: Float[np.ndarray, "rows units"], second: Float[np.ndarray, "rows others"]
) -> Float[np.ndarray, "units others"]:
    """|Spearman correlation| of every pair of columns: `absolute_correlations` of mean ranks."""
    return absolute_correlations(rankdata(first, axis=0), rankdata(second, axis=0))


def _assigned_correlation(units: TableLike, factors: TableLike, correlate: Callable[..., np.ndarray]) -> float:
    units, factors = as_codes(units), as_codes(factors, "factors")  # numbers, whose distances count: not numbered anew
    check_tables(units, np.zeros(factors.shape, np.int64))
    varying = np.ptp(factors, axis=0) > 0
    if not varying.any():
        raise ValueError("every factor is constant in these rows, so there is nothing to correlate with.")
    matrix = correlate(units.astype(np.float64), factors[:, varying].astype(np.float64))  # (unit, factor)
    return float(matrix[linear_sum_assignment(matrix, maximize=True)].sum() / matrix.shape[1])


def _unit_columns(table: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Every column centred and of length 1; zeros for a constant one."""
    spread = np.ptp(table, axis=0)
    centred = (table - table.mean(0)) / np.where(spread > 0, spread, 1)  # squares of the spread may overflow
    length = np.linalg.norm(centred, axis=0)
    return np.where(spread > 0, centred / np.where(length > 0, length, 1), 0)
