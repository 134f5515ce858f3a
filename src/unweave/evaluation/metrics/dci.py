"""DCI: from which units can each factor be predicted, and how much of each unit goes to which factor?"""

from collections.abc import Sequence
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

    Parameters
    ----------
    train
        Codes and factors of the rows that classifiers learn from.
    test
        Codes and factors of the rows that they are tested on.
    seed
        Of ties between splits.
    n_jobs
        Processes; one for each core if None.

    Returns
    -------
    dict of str to float
        `disentanglement`, `completeness`, `informativeness` and `informativeness_train`.

    Notes
    -----
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


Groups = Sequence[Sequence[int]]
"""Units that belong together; a unit that is in none is a group of its own."""


def dci_of_groups(
    predictions: FactorPredictions, groups: Groups, seed: int, *, partitions: int = 20
) -> dict[str, float]:
    """Disentanglement and completeness of groups of units, each in [0, 1], higher is better; ours.

    Those of `dci` with the importances of the units of a group added up, so that copies of one factor cost no
    completeness; `informativeness` is that of all units. Both rise by chance where groups are few and large (one group
    of all has completeness 1 and disentanglement 0): `random_` is the mean over 20 partitions of the same sizes at
    random, `labels_` what the partition has in which each unit goes to the factor for which it is most important, and
    `units_` what the units have by themselves.

    Raises ValueError where a unit is in two groups, or is not there.
    """
    importance = predictions.importance[:, ~np.isnan(predictions.train_accuracy)]
    whole = _partition(groups, len(importance))
    rng, sizes = np.random.default_rng(seed), np.cumsum([len(group) for group in whole])[:-1]
    drawn = [np.split(rng.permutation(len(importance)), sizes) for _ in range(partitions)]
    best = importance.argmax(1)
    by_labels = [np.flatnonzero(best == factor) for factor in np.unique(best)]
    chance = np.mean([_disentanglement_and_completeness(importance, partition) for partition in drawn], axis=0)
    found, labels, units = (
        _disentanglement_and_completeness(importance, partition)
        for partition in (whole, by_labels, _partition([], len(importance)))
    )
    scores = {"": found, "random_": chance, "labels_": labels, "units_": units}
    return {
        f"{prefix}{name}": float(value)
        for prefix, values in scores.items()
        for name, value in zip(("disentanglement", "completeness"), values)
    } | {"informativeness": dci_scores(predictions)["informativeness"], "groups": float(len(whole))}


def _partition(groups: Groups, units: int) -> list[np.ndarray]:
    listed = [unit for group in groups for unit in group]
    if len(set(listed)) < len(listed) or not set(listed) <= set(range(units)):
        raise ValueError(
            f"groups must have each of the units 0..{units - 1} once at most, got {list(map(list, groups))}."
        )
    return [np.array(group) for group in groups] + [np.array([unit]) for unit in range(units) if unit not in listed]


def _disentanglement_and_completeness(
    importance: Float[np.ndarray, "units factors"], partition: list[np.ndarray]
) -> tuple[float, float]:
    summed = np.stack([importance[group].sum(0) for group in partition])
    return disentanglement(summed), disentanglement(summed.T)
