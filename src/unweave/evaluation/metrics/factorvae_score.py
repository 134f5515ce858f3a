"""FactorVAE score: does the unit that moves least tell which factor was held fixed?"""

import typing

import numpy as np
from jaxtyping import Float, Int

from unweave.evaluation.metrics.checks import as_tables
from unweave.evaluation.metrics.row_sampling import draw_with_replacement, rows_with_a_fixed_factor
from unweave.files import compiled
from unweave.types import FactorTable, TableLike


def factorvae_score(
    units: TableLike, factors: TableLike, random: np.random.RandomState, *, votes: tuple[int, int] = (10_000, 5_000)
) -> dict[str, float]:
    """`eval_accuracy` is the score, `train_accuracy` that on the training votes; both in [0, 1], higher is better.

    Parameters
    ----------
    units
        Codes [rows, units]: an array, lists, a DataFrame or a tensor.
    factors
        Classes of the factors [rows, factors], in any labels.
    random
        The random stream of the draws.
    votes
        Votes for training and for testing.

    Returns
    -------
    dict of str to float
        `eval_accuracy`, `train_accuracy` and `active_units`.

    Notes
    -----
    A vote: hold a random factor fixed over 64 rows; the unit with the smallest variance, relative to its variance over
    10,000 rows, votes for the factor. The classifier gives each unit the factor it was chosen for most often; the score
    is the share of right ones among fresh votes. Chance is about 1 / factors. Section 3.1 of arXiv:1802.05983, with the
    constants of disentanglement_lib; on a complete grid the reference's random stream, row for row (`row_sampling`).

    `active_units` counts the units that take part: those with a standard deviation of 0.05 or more (the reference
    reports all of them by mistake). Known defects: that threshold is absolute, so codes below it in scale score 0; a
    factor split over several units, or several factors in one unit that is never least, pass unpunished; a constant
    factor is held fixed like any other, which nobody can tell, so it lowers the score.
    """
    units, factors = as_tables(units, factors)
    z = units.astype(np.float64)
    spread = z[draw_with_replacement(factors, 10_000, random, batch=10_000)].var(0, ddof=1)
    active = np.flatnonzero(np.sqrt(spread) >= 0.05)
    if not len(active):
        return {"eval_accuracy": 0.0, "train_accuracy": 0.0, "active_units": 0.0}
    train, test = (_count_votes(z[:, active], spread[active], factors, count, random) for count in votes)
    best = train.argmax(0)  # (unit,)
    return {
        "eval_accuracy": _accuracy(test, best),
        "train_accuracy": _accuracy(train, best),
        "active_units": float(len(active)),
    }


def _count_votes(
    z: Float[np.ndarray, "rows units"],
    spread: Float[np.ndarray, "units"],
    factors: FactorTable,
    votes: int,
    random: np.random.RandomState,
) -> Int[np.ndarray, "factors units"]:
    """How often each unit was the stillest while each factor was held fixed."""
    votes_cast = rows_with_a_fixed_factor(factors, votes, 64, random)
    stillest = (_variances(z, votes_cast.rows) / spread).argmin(1)  # (vote,)
    shape = factors.shape[1], z.shape[1]
    return np.bincount(votes_cast.factor * shape[1] + stillest, minlength=shape[0] * shape[1]).reshape(shape)


def _accuracy(votes: Int[np.ndarray, "factors units"], best: Int[np.ndarray, "units"]) -> float:
    return float(votes[best, np.arange(len(best))].sum() / votes.sum())


@compiled()
@typing.no_type_check
def _variances(z, rows):  # type: ignore
    """The variance (ddof 1) of every unit over the rows of every vote: (vote, unit)."""
    votes, batch = rows.shape
    units = z.shape[1]
    result = np.zeros((votes, units))
    mean = np.empty(units)
    for vote in range(votes):
        mean[:] = 0
        for row in rows[vote]:
            for i in range(units):
                mean[i] += z[row, i] / batch
        for row in rows[vote]:
            for i in range(units):
                result[vote, i] += (z[row, i] - mean[i]) ** 2
    return result / (batch - 1)
