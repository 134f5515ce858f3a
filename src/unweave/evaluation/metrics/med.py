"""MED: DCI's disentanglement with mutual information in the place of a classifier's importances."""

import numpy as np
from jaxtyping import Float, Int

from unweave.evaluation.metrics.checks import as_codes, as_split, as_tables, varying_factors
from unweave.evaluation.metrics.dci import disentanglement
from unweave.evaluation.metrics.explicitness import predict_probabilities
from unweave.evaluation.metrics.information import discretise, mutual_information
from unweave.evaluation.metrics.preparation import random_rotation, standardise
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.types import TableLike


def med(units: TableLike, factors: TableLike, *, bins: int = 20) -> dict[str, float]:
    """Disentanglement and completeness of the information in the units, each in [0, 1], higher is better.

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
        `disentanglement` and `completeness`.

    Notes
    -----
    The two scores of `dci` on R[i, j] of `information_share`: `disentanglement` is sum_i w_i (1 - H(R[i, :] / sum)),
    w_i the unit's share of the sum of R, H in base factors; `completeness` the same over the columns, in base units.
    arXiv:2206.04756, as its authors' code has it (the paper's tables were not at hand). No classifier, so it is exact
    and takes codes a thousand units wide.

    With one factor that varies disentanglement is 1, with one unit completeness is 1: nothing can be mixed.
    Known defects: the bias of the histogram makes units of noise know a little of every factor, so that hundreds of
    them pull the score down (see `top_units` for a way out); columns are normalised, so a factor that no unit knows
    counts as much as one that is known.
    """
    return med_scores(information_share(units, factors, bins=bins))


def med_scores(share: Float[np.ndarray, "units factors"]) -> dict[str, float]:
    """The scores of `med` from the matrix of `information_share`, or from some of its rows."""
    return {"disentanglement": disentanglement(share), "completeness": disentanglement(share.T)}


def information_share(
    units: TableLike, factors: TableLike, *, bins: int = 20
) -> Float[np.ndarray, "units varying_factors"]:
    """R[i, j], the share of unit i in the mutual information of all units with factor j.

    Units are put in `bins` bins of equal width. Every column sums to 1, or to 0 where no unit knows of the factor (the
    reference divides by 0). Constant factors have no column. Raises ValueError if every factor is constant.
    """
    units, factors = as_tables(units, factors)
    varies = varying_factors(factors, "inform of")
    information = mutual_information(discretise(units, bins=bins), factors[:, varies])
    total = information.sum(0)
    return information / np.where(total > 0, total, 1)


def med_and_top(share: Float[np.ndarray, "units factors"]) -> dict[str, float]:
    """The scores of `med_scores`, and as top1_ and top2_ those of the best one and two units of each factor."""
    scores = med_scores(share)
    for k in (1, 2):
        scores |= {f"top{k}_{name}": score for name, score in med_scores(share[top_units(share, k)]).items()}
    return scores


def med_of_rotations(
    units: TableLike, factors: TableLike, random: np.random.RandomState, *, rotations: int = 5
) -> dict[str, float]:
    """What `med_and_top` gives when axes mean nothing: the mean of each score over random rotations, and its `_spread`.

    The code is standardised, then turned by a rotation drawn uniformly (Haar). A turned code holds the same, so the gap
    between the score of a code and this is what its own axes add; `_spread` is the standard deviation (ddof 1) over the
    rotations. Top-k is a maximum over units, and of a wide code some unit is good by luck: without this it says little.

    Ours; the idea is a switch (`rotate`) in the workbench of the MED study's authors, which scores a code that is
    repeated a hundred times and turned. Raises ValueError for fewer than two rotations.
    """
    if rotations < 2:
        raise ValueError(f"rotations must be 2 or more, got {rotations}: a spread needs two.")
    codes = as_codes(units)
    standard, width = standardise(codes), codes.shape[1]
    turns = (random_rotation(width, random) for _ in range(rotations))
    drawn = [med_and_top(information_share(standard @ turn, factors)) for turn in turns]
    values = {name: [scores[name] for scores in drawn] for name in drawn[0]}
    means = {name: float(np.mean(of)) for name, of in values.items()}
    return means | {f"{name}_spread": float(np.std(of, ddof=1)) for name, of in values.items()}


def top_units(share: Float[np.ndarray, "units factors"], k: int = 1) -> Int[np.ndarray, "chosen"]:
    """The units that are taken when the purest come first and each factor accepts k of those that know it best.

    `med_scores` of their rows, which are not normalised again, is top-k MED, which compares codes of different widths.
    The paper's study has k = 1; the copies of DisDiff and EncDiff have k = 2.

    Pure means 1 - H(share[i, :] / sum); of equals (all, with one factor) the one that knows most is taken, of these the
    first: with the reference it is the order of the units that decides. A factor that no unit knows best gets none.
    A unit that knows nothing comes last and counts as the first factor's, as in the reference.

    Known defect: the units are chosen on the rows that score them. Raises ValueError for k below 1.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}: it is the number of units that a factor may have.")
    pure = np.array([disentanglement(row[None]) for row in share])
    order = np.lexsort((-share.max(1), -pure))  # stable; the last key is the first to count
    best = share.argmax(1)[order]  # the factor of each
    earlier = np.array([(best[:position] == factor).sum() for position, factor in enumerate(best)])
    return order[earlier < k]


def informativeness(train: Tables, test: Tables, *, n_jobs: int | None = None) -> dict[str, float]:
    """The accuracy of a linear classifier, on test and training rows; in [0, 1], higher is better.

    Per factor one multinomial logistic regression on standardised units (see `explicitness.predict_probabilities`),
    mean over factors: what arXiv:2206.04756 reports beside MED. Chance is about the mean of 1 / size; a class that only
    the test rows have counts as missed. Factors constant in the training rows are left out; ValueError if all are.

    Known defect: linear, so a factor along a curve or a circle in one unit reads badly. Not comparable with the
    informativeness of `dci`, whose classifier is not linear.
    """
    train, test = as_split(train, test)
    predictions = predict_probabilities(train, test, n_jobs=n_jobs)
    right = {
        "informativeness": [p.classes[p.test.argmax(1)] == test.factors[:, p.factor] for p in predictions],
        "informativeness_train": [p.classes[p.train.argmax(1)] == train.factors[:, p.factor] for p in predictions],
    }
    return {name: float(np.mean(values)) for name, values in right.items()}
