"""InfoMEC: modularity and compactness by normalised mutual information, explicitness by a linear probe's log loss."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import digamma
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from unweave.evaluation.metrics.checks import as_tables, varying_factors
from unweave.evaluation.metrics.information import entropies, mutual_information
from unweave.evaluation.metrics.preparation import standardise
from unweave.types import FactorTable, TableLike, UnitTable

Prune = Callable[[UnitTable], Bool[np.ndarray, "units"]]
"""Which units are active, and take part in InfoM and InfoC."""

NEIGHBOURS = 10
JITTER = 1e-10  # that tells equal values apart
MAX_VALUES = 100


def infomec(units: TableLike, factors: TableLike, prune: Prune, *, seed: int = 0) -> dict[str, float]:
    """InfoM, InfoC and InfoE of a code, InfoE beside its null; higher is better.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.
    prune
        `prune_by_range` or `prune_by_quartiles`: which units count.
    seed
        Of the rows that the null exchanges, and of a jitter of 1e-10 deviations that tells equal values apart.

    Returns
    -------
    dict of str to float
        `infom` and `infoc` in [0, 1], `infoe` and `infoe_null` at most 1, and `active_units`, how many were kept.

    Notes
    -----
    N[i, j] is the mutual information of active unit i and factor j (`information_of_numbers`) over the factor's
    entropy. `infom` is the mean over units of max_j N / sum_j N, `infoc` the mean over factors of max_i N / sum_i N,
    each taken from [1 / n, 1] to [0, 1]. `infoe` is the mean over factors of 1 - L / log(classes), L the log loss of a
    logistic regression on all units (see `explained_log_loss`). Hsu et al., "Disentanglement via latent quantization",
    NeurIPS 2023, arXiv:2305.18378; the formulas are those of its authors' released code (`infomec.py`), with 10
    neighbours.

    Deviates from it in what that code leaves undefined: a unit that informs of no factor counts 0 there (its ratio is
    0 / 0), as does everything where no unit is active; with one factor InfoM is 1 and with one unit InfoC is 1, as
    nothing can be mixed; constant factors are left out. Several prunings go by the name InfoMEC, so it is always said
    which.

    Known defects: InfoM is an unweighted mean over units, so that noise units count as much as good ones (codes that
    are the factors themselves, with three units of noise beside five, have 0.64): read it beside `active_units`. The
    logistic regression is fitted to the rows that it is scored on, so that a code that knows nothing gains as well
    where rows are few and units many: `infoe_null` is what codes of other rows have.
    """
    units, factors = as_tables(units, factors)
    factors = factors[:, varying_factors(factors, "inform of")]
    share = normalised_information(units[:, prune(units)], factors, seed)
    return _scores(share, standardise(units.astype(np.float64)), factors, seed)


def infomec_of_values(units: TableLike, factors: TableLike, *, seed: int = 0) -> dict[str, float]:
    """`infomec` of units that take few values each, such as those of QLAE, whose authors score it so.

    Mutual information is that of the counts, every unit that takes two values is active, and the logistic regression
    sees a column for each value. Raises ValueError for a unit of more than 100 values, whose counts say nothing.
    """
    units, factors = as_tables(units, factors)
    factors = factors[:, varying_factors(factors, "inform of")]
    levels = np.stack([np.unique(unit, return_inverse=True)[1] for unit in units.T], axis=1)
    counts = levels.max(0) + 1
    if counts.max() > MAX_VALUES:
        raise ValueError(
            f"unit {counts.argmax()} has {counts.max():,} values in {len(units):,} rows, at most {MAX_VALUES} were "
            "expected: infomec-range@1 and infomec-iqr@1 are for units of any numbers."
        )
    share = mutual_information(levels[:, counts > 1], factors) / entropies(factors)
    columns = np.concatenate([np.eye(count)[level] for count, level in zip(counts, levels.T)], axis=1)
    return _scores(share, columns, factors, seed)


def _scores(
    share: Float[np.ndarray, "active factors"],
    numbers: Float[np.ndarray, "rows numbers"],
    factors: FactorTable,
    seed: int,
) -> dict[str, float]:
    exchanged = np.random.RandomState(seed).permutation(len(numbers))
    return {
        "infom": preference(share),
        "infoc": preference(share.T),
        "infoe": explained_log_loss(numbers, factors),
        "infoe_null": explained_log_loss(numbers[exchanged], factors),
        "active_units": float(len(share)),
    }


def prune_by_range(units: UnitTable) -> Bool[np.ndarray, "units"]:
    """Units whose range is more than a twentieth of the widest: QLAE's (the stand-alone file of its release)."""
    ranges = np.ptp(units, axis=0)
    return ranges > ranges.max() / 20


def prune_by_quartiles(units: UnitTable) -> Bool[np.ndarray, "units"]:
    """Units whose interquartile range is more than a tenth of the widest: Tripod's (arXiv:2404.10282, its release)."""
    low, high = np.quantile(units, [0.25, 0.75], axis=0)
    return high - low > (high - low).max() / 10


def preference(share: Float[np.ndarray, "rows columns"]) -> float:
    """The mean over rows of max / sum, from [1 / columns, 1] to [0, 1]; 0 for a row of zeros, and without rows."""
    if not share.size:
        return 0.0
    if share.shape[1] == 1:
        return 1.0
    total, least = share.sum(1), 1 / share.shape[1]
    ratio = np.divide(share.max(1), total, out=np.full(len(share), least), where=total > 0)
    return float((ratio.mean() - least) / (1 - least))


def normalised_information(units: UnitTable, factors: FactorTable, seed: int = 0) -> Float[np.ndarray, "units factors"]:
    """I(unit; factor) / H(factor) of every pair, 0 or more; an estimate may exceed 1 a little."""
    numbers = standardise(units.astype(np.float64))
    scale = JITTER * np.maximum(1, np.abs(numbers).mean(0))
    numbers = numbers + scale * np.random.RandomState(seed).standard_normal(numbers.shape)
    information = [[information_of_numbers(unit, factor) for factor in factors.T] for unit in numbers.T]
    return np.array(information).reshape(units.shape[1], factors.shape[1]) / entropies(factors)


def information_of_numbers(
    numbers: Float[np.ndarray, "rows"], classes: Int[np.ndarray, "rows"], *, neighbours: int = NEIGHBOURS
) -> float:
    """I(number; class) in nats, 0 or more, by nearest neighbours; the numbers must differ from each other.

    Ross, "Mutual information between discrete and continuous data sets", PLoS ONE 9(2), 2014, as in scikit-learn's
    mutual_info_classif, to which it is equal (in one dimension, sorting takes the place of trees: fifty times as fast
    on 10,000 rows). A class of one row is left out.
    """
    kept = np.bincount(classes)[classes] > 1
    numbers, classes = numbers[kept], classes[kept]
    if not len(numbers):
        return 0.0
    ordered, total = np.sort(numbers), 0.0
    for label in np.unique(classes):
        own = np.sort(numbers[classes == label])
        k = min(neighbours, len(own) - 1)
        radius = _distance_to_neighbour(own, k) - 8 * np.finfo(np.float64).eps * np.maximum(1, np.abs(own))
        radius = radius.clip(min=0)  # a little less than the distance, so that the neighbour itself is not counted
        near = np.searchsorted(ordered, own + radius, "right") - np.searchsorted(ordered, own - radius, "left")
        total += len(own) * (digamma(k) - digamma(len(own))) - digamma(near).sum()
    return max(0.0, float(digamma(len(numbers)) + total / len(numbers)))


def explained_log_loss(numbers: Float[np.ndarray, "rows numbers"], factors: FactorTable) -> float:
    """The share of the log loss that a logistic regression takes away: at most 1, 0 is nothing.

    Mean over factors. The regression has no penalty, classes that weigh the same, and 100 iterations of L-BFGS, after
    which it often has not converged. What it is compared with, the regression without units, gives all classes the
    same probability, whatever their frequency, and so has the log loss log(classes).
    """
    return float(np.mean([1 - _log_loss(numbers, factor) / np.log(len(np.unique(factor))) for factor in factors.T]))


def _log_loss(numbers: Float[np.ndarray, "rows numbers"], labels: Int[np.ndarray, "rows"]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 100 iterations are the protocol
        model = LogisticRegression(C=np.inf, class_weight="balanced").fit(numbers, labels)
    probability = model.predict_proba(numbers)[np.arange(len(labels)), np.searchsorted(model.classes_, labels)]
    return float(-np.log(probability.clip(min=np.finfo(np.float64).eps)).mean())


def _distance_to_neighbour(ordered: Float[np.ndarray, "rows"], k: int) -> Float[np.ndarray, "rows"]:
    """The distance of each of some sorted numbers to the k-th nearest other: the least over runs of k + 1 of them."""
    distance = np.full(len(ordered), np.inf)
    runs = len(ordered) - k
    for place in range(k + 1):  # of the number in its run
        own = ordered[place : place + runs]
        reach = np.maximum(own - ordered[:runs], ordered[k:] - own)
        distance[place : place + runs] = np.minimum(distance[place : place + runs], reach)
    return distance
