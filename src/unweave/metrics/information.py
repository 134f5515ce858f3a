"""Entropy and mutual information of binned codes and factors, in nats.

The discretiser is disentanglement_lib's: 20 bins of equal width between the minimum and the maximum of the sample at
hand. Known defect: one outlier widens every bin, so a heavy-tailed unit seems to know less than it does.
"""

import numpy as np
from jaxtyping import Float, Int

from unweave.tables import FactorTable, UnitTable


def discretise(units: UnitTable, *, bins: int = 20) -> Int[np.ndarray, "rows units"]:
    """The bin of every number, 0 .. bins - 1, of equal width within its unit.

    The edges are those of numpy.histogram without the last, in the dtype of the codes, as in the reference (which
    counts from 1). A unit whose spread is below `bins` rounding steps falls into one bin; the reference raises there.
    """
    binned = np.zeros(units.shape, np.int64)
    for unit, column in enumerate(units.T):
        try:
            edges = np.histogram_bin_edges(column, bins)[:-1]
        except ValueError:  # a constant, but for rounding
            continue
        binned[:, unit] = np.digitize(column, edges) - 1
    return binned


def entropies(table: Int[np.ndarray, "rows columns"]) -> Float[np.ndarray, "columns"]:
    """The entropy of every column of the sample, in nats; 0 for a constant one."""
    return np.array([_entropy(np.bincount(column)) for column in table.T])


def mutual_information(
    binned: Int[np.ndarray, "rows units"], factors: FactorTable
) -> Float[np.ndarray, "units factors"]:
    """I(unit; factor) in nats for every pair: at least 0, at most the entropy of either.

    Equals sklearn.metrics.mutual_info_score on every pair of columns; no correction for the size of the sample, so
    independent columns score about (bins - 1)(size - 1) / (2 rows) rather than 0.
    """
    information = np.empty((binned.shape[1], factors.shape[1]))
    for j, factor in enumerate(factors.T):
        size = int(factor.max()) + 1
        for i, unit in enumerate(binned.T):
            joint = np.bincount(unit * size + factor, minlength=(int(unit.max()) + 1) * size).reshape(-1, size)
            information[i, j] = _entropy(joint.sum(1)) + _entropy(joint.sum(0)) - _entropy(joint.ravel())
    return information.clip(min=0)


def _entropy(counts: Int[np.ndarray, "classes"]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())
