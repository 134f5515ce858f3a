"""DCI-MIG: does each factor have a unit that informs of it and of no other factor?"""

import numpy as np

from unweave.evaluation.metrics.checks import as_tables, varying_factors
from unweave.evaluation.metrics.information import discretise, entropies, mutual_information
from unweave.types import TableLike


def dci_mig(units: TableLike, factors: TableLike, *, bins: int = 20) -> dict[str, float]:
    """The information that single units keep for single factors, as a share of all; in [0, 1], higher is better.

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
        `dci_mig`.

    Notes
    -----
    Every unit has a gap: its largest mutual information with a factor less its second largest. The gap is credited to
    the factor of the largest. The score is the sum over factors of the largest gap credited to them, divided by the
    sum of the factors' entropies in this sample. Where MIG takes the gap between units, this takes it between factors.

    Called 3CharM or DCIMIG, of arXiv:1910.05587; the definition was checked against src/metrics/dcimig.py of
    github.com/ubisoft/ubisoft-laforge-disentanglement-metrics (code of arXiv:2012.09276), not against the paper.
    Deviates from that code in the bins: `bins` per unit and none per factor, where it has 10 for both. It fails with
    one factor; here the second largest is then 0. Constant factors change nothing.
    Known defects: large factors outweigh small ones; a factor copied into many units, or split over several with only
    one of them counted, shows in no term of its own.
    """
    units, factors = as_tables(units, factors)
    varying_factors(factors, "inform of")
    information = mutual_information(discretise(units, bins=bins), factors)
    second, first = np.sort(np.pad(information, ((0, 0), (1, 0))), axis=1)[:, -2:].T  # a factor of zeros: one may do
    credited = np.zeros_like(information)
    np.put_along_axis(credited, information.argmax(1)[:, None], (first - second)[:, None], axis=1)
    return {"dci_mig": float(credited.max(0).sum() / entropies(factors).sum())}
