"""Modularity: does each unit inform of one factor only?"""

import numpy as np

from unweave.evaluation.metrics.checks import as_tables, varying_factors
from unweave.evaluation.metrics.information import discretise, mutual_information
from unweave.types import TableLike


def modularity(units: TableLike, factors: TableLike, *, bins: int = 20) -> dict[str, float]:
    """How far each unit informs of one factor alone, in [0, 1], higher is better.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.
    bins
        Bins of equal width of each unit.

    Returns
    -------
    dict of str to float
        `modularity`.

    Notes
    -----
    Mean over units of 1 - sum_{j != j*} m_j^2 / (m_{j*}^2 (K - 1)): m_j is the mutual information of the unit, in
    `bins` bins of equal width, with factor j of K, and j* the factor it knows most of. A unit that knows nothing
    counts 0. Section 3 of arXiv:1802.05312 with the histogram estimate of disentanglement_lib.

    Constant factors are left out and not counted in K (the reference counts them, which raises the score). With one
    factor left every unit that knows of it scores 1 (the reference divides 0 by 0).
    Known defects: every unit weighs the same, so a unit of noise counts as much as one that knows a factor, and scores
    what the bias of the histogram makes of it; a unit that knows half of a factor and no other scores 1; a factor
    copied into many units is not punished.
    """
    units, factors = as_tables(units, factors)
    varies = varying_factors(factors, "inform of")
    squared = mutual_information(discretise(units, bins=bins), factors[:, varies]) ** 2
    largest = squared.max(1)
    spread = (squared.sum(1) - largest) / np.where(largest > 0, largest, 1) / max(varies.sum() - 1, 1)
    return {"modularity": float(np.where(largest > 0, 1 - spread, 0).mean())}
