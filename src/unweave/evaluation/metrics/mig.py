"""Mutual information gap: does each factor have one unit of its own?"""

import numpy as np
from jaxtyping import Float

from unweave.evaluation.metrics.checks import as_tables, varying_factors
from unweave.evaluation.metrics.information import discretise, entropies, mutual_information
from unweave.types import FactorTable, TableLike


def mig(units: TableLike, factors: TableLike, *, bins: int = 20) -> dict[str, float]:
    """The mutual information gap, in [0, 1], higher is better.

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
        `mig`.

    Notes
    -----
    Mean over factors of (I(1) - I(2)) / H(factor), where I(1) >= I(2) are the largest mutual informations of a unit
    with the factor, over codes in `bins` bins of equal width, and H is the entropy in this sample. Eq. 6 of
    arXiv:1802.04942, with the histogram estimate of disentanglement_lib.

    A constant factor has no entropy and is left out of the mean (the reference divides by 0). With one unit I(2) is 0.
    Known defect: a factor copied into two units scores 0 however clean each copy is, so a method with more units than
    factors and no bottleneck scores low (EncDiff: 0.36 at a DCI disentanglement of 0.99).
    """
    units, factors = as_tables(units, factors)
    return mig_from_information(mutual_information(discretise(units, bins=bins), factors), factors)


def mig_from_information(information: Float[np.ndarray, "units factors"], factors: FactorTable) -> dict[str, float]:
    """The score of `mig` from the mutual information of every unit and factor."""
    varies, entropy = varying_factors(factors, "inform of"), entropies(factors)
    ranked = np.vstack([np.zeros_like(entropy), np.sort(information, axis=0)])  # (1 + unit, factor), rising
    return {"mig": float(((ranked[-1] - ranked[-2])[varies] / entropy[varies]).mean())}
