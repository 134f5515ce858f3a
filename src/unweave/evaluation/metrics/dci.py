"""DCI: from which units can each factor be predicted, and how much of each unit goes to which factor?"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import joblib
import numpy as np
from jaxtyping import Float

from unweave.evaluation.metrics.boosting import fit_boosted_trees
from unweave.evaluation.metrics.checks import as_split, varying_factors
from unweave.evaluation.metrics.row_sampling import Tables


class FactorPredictions(NamedTuple):
    """What the classifiers of all factors give. A factor that is constant in the training rows has NaN accuracies."""

    importance: Float[np.ndarray, "units factors"]  # columns add up to 1, or are zeros
    train_accuracy: Float[np.ndarray, "factors"]
    test_accuracy: Float[np.ndarray, "factors"]


def dci(train: Tables, test: Tables, *, seed: int = 0, n_jobs: int | None = None) -> dict[str, float]:
    """Disentanglement, completeness and informativeness, each in [0, 1], higher is better.

    R[i, j] is the importance of unit i in a gradient-boosted classifier of factor j (the algorithm of scikit-learn's
    GradientBoostingClassifier at its defaults: 100 rounds, depth 3; see `boosting`). `disentanglement` is
    sum_i w_i (1 - H(R[i, :] / sum)), w_i the unit's share of all importance, H in base factors: whether a unit speaks
    of one factor. `completeness` is the same over the columns, H in base units: whether one unit suffices for a factor.
    `informativeness` and `informativeness_train` are mean accuracies over factors on the test and training rows (the
    reference calls them errors). Eq. 1-3 of openreview.net/forum?id=By-7dz-AZ with the constants of
    disentanglement_lib; "DCI" in tables of papers is `disentanglement` alone.

    A factor that is constant in the training rows is left out, as though the table had no such column; the reference
    fails there. With one factor left disentanglement is 1, with one unit completeness is 1: nothing can be mixed.
    Deviates from the reference in having a seed, which decides ties between splits (about 0.001 between runs on 10,000
    rows; on a hundred, completeness may move by 0.3, as with scikit-learn's booster).
    Known defect: the score belongs to the classifier. Another booster, or other settings of this one, moves
    disentanglement by up to 0.6, so compare only values of one protocol.

    Factors are fitted in parallel, and `n_jobs` threads (default: one per core) share the trees of a round; the result
    does not depend on them.
    """
    return dci_scores(predict_factors(train, test, seed=seed, n_jobs=n_jobs))


def predict_factors(train: Tables, test: Tables, *, seed: int = 0, n_jobs: int | None = None) -> FactorPredictions:
    """The importances and accuracies of a gradient-boosted classifier of every factor (see `dci`).

    Raises ValueError where every factor is constant in the training rows, the widths of the tables differ, or they
    cannot be measured.
    """
    train, test = as_split(train, test)
    varying_factors(train.factors, "predict", "the training rows")
    units, factors = train.units.shape[1], train.factors.shape[1]
    for j in range(factors):
        count = len(np.unique(train.factors[:, j]))
        if count > max(100, len(train.factors) // 10):
            raise ValueError(
                f"factor {j} has {count:,} classes in {len(train.factors):,} rows, fewer than ten rows each: it looks "
                "like an index or a number that was not binned. Leave it out, or bin it, as with numpy.digitize."
            )
    predictions = FactorPredictions(np.zeros((units, factors)), np.full(factors, np.nan), np.full(factors, np.nan))
    cores = n_jobs or joblib.cpu_count()

    def fit(j: int) -> None:
        classes, labels = np.unique(train.factors[:, j], return_inverse=True)
        if len(classes) > 1:
            boosted = fit_boosted_trees(train.units, labels, test.units, seed=seed, n_jobs=cores)
            predictions.importance[:, j] = boosted.importance
            predictions.train_accuracy[j] = np.mean(boosted.train == labels)
            predictions.test_accuracy[j] = np.mean(classes[boosted.test] == test.factors[:, j])

    with ThreadPoolExecutor(min(cores, factors)) as pool:  # factors of two classes have one tree a round to share out
        list(pool.map(fit, range(factors)))
    return predictions


def dci_scores(predictions: FactorPredictions) -> dict[str, float]:
    """The scores of `dci` from the importances and accuracies of its classifiers."""
    varies = ~np.isnan(predictions.train_accuracy)
    importance = predictions.importance[:, varies]
    return {
        "disentanglement": disentanglement(importance),
        "completeness": disentanglement(importance.T),
        "informativeness": float(predictions.test_accuracy[varies].mean()),
        "informativeness_train": float(predictions.train_accuracy[varies].mean()),
    }


def disentanglement(importance: Float[np.ndarray, "units factors"]) -> float:
    """The share-weighted mean over rows of 1 - entropy, in [0, 1]; of the transpose it is completeness.

    The reference's 1e-11 is added inside the entropy; a matrix of zeros counts as uniform and scores 0.
    """
    if importance.shape[1] == 1:
        return 1.0
    share = importance + 1e-11
    share = share / share.sum(1, keepdims=True)
    pure = 1 + (share * np.log(share)).sum(1) / np.log(importance.shape[1])
    total = importance.sum(1)
    return float(np.average(pure, weights=total if total.any() else None))
