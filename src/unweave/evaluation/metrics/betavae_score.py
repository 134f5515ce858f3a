"""BetaVAE score: can a linear classifier tell from differences of codes which factor was held fixed?"""

import typing
import warnings

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from unweave.evaluation.metrics.checks import as_tables
from unweave.evaluation.metrics.row_sampling import pairs_with_a_fixed_factor
from unweave.files import compiled
from unweave.types import FactorTable, TableLike


def betavae_score(
    units: TableLike, factors: TableLike, random: np.random.RandomState, *, points: tuple[int, int] = (10_000, 5_000)
) -> dict[str, float]:
    """`eval_accuracy` is the score, `train_accuracy` that on the training points; both in [0, 1], higher is better.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.
    random
        The random stream of the draws.
    points
        Points for training and for testing.

    Returns
    -------
    dict of str to float
        `eval_accuracy` and `train_accuracy`.

    Notes
    -----
    A point: hold a random factor fixed within each of 64 pairs of rows; the feature is the mean of |z1 - z2| per unit,
    the label is the factor. The classifier is scikit-learn's LogisticRegression at its defaults. Chance is about
    1 / factors. From beta-VAE (Higgins et al., ICLR 2017, section 3), with the constants of
    disentanglement_lib; on a complete grid the reference's random stream, row for row (`row_sampling`).

    With one factor there is nothing to tell and both are 1. Known defects: nearly every method scores 1, rotated codes
    included; the classifier is regularised, so codes of very small scale score lower; like the reference's it may stop
    at 100 steps before it has converged, which codes of very large scale make it do; constant factors are held fixed
    like any other, and nobody can tell one of them from the next.
    """
    units, factors = as_tables(units, factors)
    if factors.shape[1] == 1:
        return {"eval_accuracy": 1.0, "train_accuracy": 1.0}
    z = units.astype(np.float64)
    train, test = (_draw_points(z, factors, count, random) for count in points)
    classifier = LogisticRegression(random_state=random)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(*train)
    return {"eval_accuracy": float(classifier.score(*test)), "train_accuracy": float(classifier.score(*train))}


def _draw_points(
    z: Float[np.ndarray, "rows units"], factors: FactorTable, count: int, random: np.random.RandomState
) -> tuple[Float[np.ndarray, "points units"], Int[np.ndarray, "points"]]:
    pairs = pairs_with_a_fixed_factor(factors, count, 64, random)
    return _differences(z, pairs.first, pairs.second), pairs.factor


@compiled()
@typing.no_type_check
def _differences(z, first, second):  # type: ignore
    """The mean of |z1 - z2| of every unit over the pairs of every point: (point, unit)."""
    points, batch = first.shape
    units = z.shape[1]
    result = np.zeros((points, units))
    for point in range(points):
        for b in range(batch):
            for i in range(units):
                result[point, i] += abs(z[first[point, b], i] - z[second[point, b], i])
    return result / batch
