"""Entropy and mutual information of binned codes and factors, in nats.

The discretiser is disentanglement_lib's: 20 bins of equal width between the minimum and the maximum of the sample at
hand. Known defect: one outlier widens every bin, so a heavy-tailed unit seems to know less than it does.
"""

import typing

import numpy as np
from jaxtyping import Float, Int

from unweave.evaluation.metrics.checks import as_factors
from unweave.files import compiled
from unweave.types import FactorTable, UnitTable


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
    return np.array([_entropy(np.unique(column, return_counts=True)[1]) for column in table.T])


def mutual_information(
    binned: Int[np.ndarray, "rows units"], factors: FactorTable
) -> Float[np.ndarray, "units factors"]:
    """I(unit; factor) in nats for every pair: at least 0, at most the entropy of either.

    Equals sklearn.metrics.mutual_info_score on every pair of columns; no correction for the size of the sample, so
    independent columns score about (bins - 1)(size - 1) / (2 rows) rather than 0. Columns whose joint counts are
    exactly the product of their own (a constant; a complete grid) score exactly 0.
    """
    if factors.size and factors.max() >= len(factors):  # values that would take the place of a size
        factors = as_factors(factors)
    information = _information(np.ascontiguousarray(binned.T), np.ascontiguousarray(factors.T))
    return information.clip(0, np.minimum(entropies(binned)[:, None], entropies(factors)))


def _entropy(counts: Int[np.ndarray, "classes"]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


@compiled()
@typing.no_type_check
def _information(units, factors):  # type: ignore
    """sum p(a, b) log(p(a, b) / (p(a) p(b))) for every pair of rows of two tables: (unit, factor)."""
    rows = units.shape[1]
    information = np.zeros((len(units), len(factors)))
    for j in range(len(factors)):
        size = factors[j].max() + 1
        factor_counts = np.zeros(size, np.int64)
        for row in range(rows):
            factor_counts[factors[j, row]] += 1
        for i in range(len(units)):
            joint = np.zeros((units[i].max() + 1, size), np.int64)
            for row in range(rows):
                joint[units[i, row], factors[j, row]] += 1
            for a in range(len(joint)):
                unit_count = joint[a].sum()
                for b in range(size):
                    if joint[a, b] > 0:
                        ratio = (joint[a, b] * rows) / (
                            unit_count * factor_counts[b]
                        )  # of whole numbers: exactly 1 if equal
                        information[i, j] += joint[a, b] / rows * np.log(ratio)
    return information
