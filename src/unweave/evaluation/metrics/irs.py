"""IRS: how little does a unit move, at worst, while one factor is held fixed?"""

import numpy as np
from jaxtyping import Float, Int

from unweave.evaluation.metrics.checks import as_tables, varying_factors
from unweave.evaluation.metrics.information import discretise
from unweave.types import FactorTable, TableLike, UnitTable


def irs(units: TableLike, factors: TableLike, *, quantile: float = 0.99, bins: int = 20) -> dict[str, float]:
    """The interventional robustness score, at most 1, higher is better, and `active_units`, the units that vary.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.
    quantile
        Of the distances, in [0, 1].
    bins
        Bins of equal width of each unit.

    Returns
    -------
    dict of str to float
        `irs` and `active_units`.

    Notes
    -----
    Of unit i given factor j: per value of the factor the `quantile` of |z_i - mean of z_i given the value|, averaged
    over the values, divided by the largest |z_i - mean of z_i|. One minus it, the best over factors, averaged over
    units with those largest deviations as weights. Section 4 of arXiv:1811.00007 as in disentanglement_lib, for sets
    of one factor. Computed in the dtype of the codes, as there: float32 and float64 differ by about 1e-6.

    A factor of more than `bins` values is merged into `bins` bins of equal width. Constant units are left out, as in
    the reference; if all are, the score is 0. Constant factors are left out; the reference scores them like the
    others. (`num_active_dims` of the reference is a sum of code values by mistake; here it is a count.)
    Known defects: a Gaussian unit that knows nothing scores about 0.3, and the more the longer its tails, since the
    weights and the divisor hang on one extreme row; a quantile of few rows is lower, so a factor with many values
    seems better kept; units of large scale outweigh the rest; below 0 (down to -1) where few rows of a value lie at
    the far end.
    """
    return irs_of_classes(*as_tables(units, factors), quantile=quantile, bins=bins)


def irs_of_classes(
    units: UnitTable, factors: FactorTable, *, quantile: float = 0.99, bins: int = 20
) -> dict[str, float]:
    """`irs` of classes that are numbered already, of which these rows may lack some."""
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile must be in 0 .. 1, got {quantile}: 0.99 leaves out the most distant hundredth.")
    varies = varying_factors(factors, "hold fixed")
    z = np.ascontiguousarray(units[:, np.ptp(units, axis=0) > 0].T)  # (unit, row)
    if not len(z):
        return {"irs": 0.0, "active_units": 0.0}
    binned = discretise(factors[:, varies].astype(np.float64), bins=bins)
    deviation = np.stack([_deviation(z, values, 100 * quantile) for values in binned.T], axis=1)  # (unit, factor)
    largest = np.abs(z - z.mean(1, keepdims=True)).max(1)
    robust = (1 - deviation / largest[:, None]).max(1)
    return {"irs": float(np.average(robust, weights=largest)), "active_units": float(len(z))}


def _deviation(
    z: Float[np.ndarray, "units rows"], values: Int[np.ndarray, "rows"], percent: float
) -> Float[np.ndarray, "units"]:
    """The percentile of the distance to the mean of the rows with the same value, averaged over values."""
    total = np.zeros(len(z))
    distinct = np.unique(values)
    for value in distinct:
        same = z.T[values == value].T  # a layout that keeps the sums of the reference, to the last bit
        total += np.percentile(np.abs(same - same.mean(1, keepdims=True)), percent, axis=1)
    return total / len(distinct)
