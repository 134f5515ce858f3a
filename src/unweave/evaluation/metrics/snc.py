"""SNC, single-neuron classification: how well does the one unit of each factor predict it?"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from unweave.evaluation.metrics.checks import as_split, varying_factors
from unweave.evaluation.metrics.information import mutual_information
from unweave.evaluation.metrics.row_sampling import Tables

NO_UNIT = -1


class AlignedUnits(NamedTuple):
    """The unit of each factor that varies in the training rows, no unit twice; NO_UNIT where there were too few."""

    factor: Int[np.ndarray, "varying"]
    unit: Int[np.ndarray, "varying"]


def snc(train: Tables, test: Tables) -> dict[str, float]:
    """The accuracy of one unit a factor, on test and training rows, in [0, 1], higher is better; and chance.

    Parameters
    ----------
    train
        Codes and factors of the rows that units are chosen and cut on.
    test
        Codes and factors of other rows.

    Returns
    -------
    dict of str to float
        `snc`, `snc_train`, and `chance`, which is the mean of 1 / classes.

    Notes
    -----
    Each factor gets a unit of its own (`align_units`). With K classes the unit is cut into K bins of equally many
    training rows, and each bin stands for a class of its own, so that most training rows are right (Hungarian
    assignment); the score is the share of right rows, mean over factors. Mahon, Sha, Lukasiewicz, "Correcting flaws in
    common disentanglement metrics", TMLR, arXiv:2304.02335, with the cuts of its authors' release.

    The assignment of bins to classes comes from a package of theirs that was not read: one to one by the counts is our
    reading. Deviates from the release in leaving constant factors out, and in counting chance for a factor that is left
    without a unit.
    Known defects: bins that hold equally many rows are wrong for classes that do not, and an ordered factor loses at
    every edge (codes that are a position of 16 values with a little noise have 0.72). Chance is not 0: read it beside.
    """
    train, test = as_split(train, test)
    aligned = align_units(train)
    accuracies = np.array(
        [_accuracy(train, test, factor, unit) for factor, unit in zip(aligned.factor.tolist(), aligned.unit.tolist())]
    )
    chances = [1 / len(np.unique(train.factors[:, factor])) for factor in aligned.factor]
    return {
        "snc": float(accuracies[:, 0].mean()),
        "snc_train": float(accuracies[:, 1].mean()),
        "chance": float(np.mean(chances)),
    }


def align_units(train: Tables) -> AlignedUnits:
    """The units that inform most of their factors together, each of one alone (Hungarian assignment).

    The information of a unit about a factor of K classes is that of its K bins of equally many rows. Raises ValueError
    where every factor is constant.
    """
    varying = np.flatnonzero(varying_factors(train.factors, "predict", "the training rows"))
    columns = []
    for factor in varying:
        count = len(np.unique(train.factors[:, factor]))
        binned = np.stack([_bins(unit, _cuts(unit, count)) for unit in train.units.T], axis=1)
        columns.append(mutual_information(binned, train.factors[:, [factor]])[:, 0])
    rows, assigned = linear_sum_assignment(np.stack(columns, axis=1), maximize=True)
    unit = np.full(len(varying), NO_UNIT)
    unit[assigned] = rows
    return AlignedUnits(varying, unit)


def _accuracy(train: Tables, test: Tables, factor: int, unit: int) -> tuple[float, float]:
    """The share of right test rows and of right training rows."""
    classes, labels = np.unique(train.factors[:, factor], return_inverse=True)
    count = len(classes)
    if unit == NO_UNIT:
        return 1 / count, 1 / count
    cuts = _cuts(train.units[:, unit], count)
    binned = _bins(train.units[:, unit], cuts)
    counts = np.bincount(binned * count + labels, minlength=count * count).reshape(count, count)
    class_of = classes[linear_sum_assignment(counts, maximize=True)[1]]  # of each bin
    tested = _bins(test.units[:, unit], cuts)
    right = class_of[tested] == test.factors[:, factor], class_of[binned] == train.factors[:, factor]
    return float(right[0].mean()), float(right[1].mean())


def _cuts(numbers: Float[np.ndarray, "rows"], bins: int) -> Float[np.ndarray, "bins"]:
    """The lower ends of bins that hold equally many numbers."""
    return np.sort(numbers)[np.arange(bins) * len(numbers) // bins]


def _bins(numbers: Float[np.ndarray, "rows"], cuts: Float[np.ndarray, "bins"]) -> Int[np.ndarray, "rows"]:
    """The bin of each number; those below the first cut are in the first bin."""
    return (np.searchsorted(cuts, numbers, side="right") - 1).clip(min=0)
