"""What seeds allow to say of methods: paired differences, ranks with their uncertainty, shares of the variance.

Values of a score are given by method, and of each method by seed. Higher is better, unless a caller turns the sign.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata, spearmanr

from unweave.evaluation.seeds import Interval, t_interval

BySeed = Mapping[int, float]
"""The score of each seed."""

DRAWS = 10_000
MIN_SEEDS = 3  # for an interval


class Difference(NamedTuple):
    """By how much one method is above another."""

    other: str
    interval: Interval  # of the mean difference over the seeds that both have
    paired: bool  # False where no seed is shared: the difference of the means, without an interval


class Rank(NamedTuple):
    """The place of a method, 1 the best, and the places that it has in 95 % of what the seeds allow."""

    place: int
    low: int | None  # None where some method has fewer than three seeds
    high: int | None


class VarianceShares(NamedTuple):
    """How much of the variance of a score over runs is between methods, between settings of one method, and the rest.

    The rest is between runs that differ in their seed alone. They sum to 1.
    """

    methods: float
    settings: float
    seeds: float
    runs: int


def difference(one: BySeed, other: BySeed, name: str) -> Difference:
    """How far `one` is above `other`, called `name`: the mean of the differences seed by seed, with a t-interval."""
    shared = sorted(one.keys() & other.keys())
    if shared:
        return Difference(name, t_interval([one[seed] - other[seed] for seed in shared]), True)
    gap = float(np.mean([*one.values()]) - np.mean([*other.values()]))
    return Difference(name, Interval(gap, None, None, 0), False)


def ranks(scores: Mapping[str, BySeed], seed: int = 0) -> dict[str, Rank]:
    """The rank of every method by its mean, and where it lies if the means are drawn anew.

    Means are drawn from their t-distributions, n - 1 degrees of freedom, each method by itself: what the seeds leave
    open. Ties share a place.
    """
    means = np.array([np.mean([*values.values()]) for values in scores.values()])
    places = _places(means[None])[0]
    if min((len(values) for values in scores.values()), default=0) < MIN_SEEDS:
        return {name: Rank(int(place), None, None) for name, place in zip(scores, places)}
    drawn = _draw_means(scores, np.random.default_rng(seed))
    low, high = np.quantile(_places(drawn), (0.025, 0.975), axis=0, method="nearest").astype(int)
    return {name: Rank(int(place), int(a), int(b)) for name, place, a, b in zip(scores, places, low, high)}


def mean_ranks(by_data: Mapping[str, Mapping[str, BySeed]], seed: int = 0) -> dict[str, Interval]:
    """The mean over data sets of each method's rank, of those that all sets have, with the 95 % of the same draws.

    {} for fewer than two methods or data sets.
    """
    common = [name for name in next(iter(by_data.values()), {}) if all(name in scores for scores in by_data.values())]
    if len(by_data) < 2 or len(common) < 2:
        return {}
    tables = [{name: scores[name] for name in common} for scores in by_data.values()]
    means = [_places(np.array([[np.mean([*table[name].values()]) for name in common]]))[0] for table in tables]
    middle, rng = np.mean(means, axis=0), np.random.default_rng(seed)
    if min(len(values) for table in tables for values in table.values()) < MIN_SEEDS:
        return {name: Interval(float(value), None, None, len(tables)) for name, value in zip(common, middle)}
    drawn = np.mean([_places(_draw_means(table, rng)) for table in tables], axis=0)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return {
        name: Interval(float(value), float(a), float(b), len(tables))
        for name, value, a, b in zip(common, middle, low, high)
    }


def variance_shares(runs: Sequence[tuple[str, str, float]]) -> VarianceShares | None:
    """Shares of the sum of squares of a score over runs (method, method with its settings, value).

    None where nothing varies, or where no two runs differ in their seed alone. Shares of few runs are themselves
    uncertain, and grow with the number of groups; nothing is corrected for that.
    """
    values = np.array([value for *_, value in runs])
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    labels = [label for _, label, _ in runs]
    if total == 0 or len(set(labels)) == len(labels):
        return None
    within_method, within_label = _within(values, [method for method, *_ in runs]), _within(values, labels)
    between = (total - within_method) / total
    return VarianceShares(between, (within_method - within_label) / total, within_label / total, len(runs))


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's, in [-1, 1]; None for fewer than four runs or where one of both does not vary."""
    table = np.array(pairs, np.float64).reshape(-1, 2)
    if len(table) < 4 or not (np.ptp(table, axis=0) > 0).all():
        return None
    return float(spearmanr(table[:, 0], table[:, 1]).statistic)


def _draw_means(scores: Mapping[str, BySeed], rng: np.random.Generator) -> Float[np.ndarray, "draw method"]:
    columns = []
    for values in scores.values():
        array = np.array([*values.values()])
        spread = array.std(ddof=1) / np.sqrt(len(array))
        columns.append(array.mean() + spread * rng.standard_t(len(array) - 1, DRAWS))
    return np.stack(columns, axis=1)


def _places(values: Float[np.ndarray, "draw method"]) -> Float[np.ndarray, "draw method"]:
    """1 for the largest of each row."""
    return rankdata(-values, method="min", axis=1).astype(np.float64)


def _within(values: Float[np.ndarray, " run"], groups: Sequence[str]) -> float:
    """The sum of squares around the means of groups."""
    names = np.array(groups)
    return float(sum(((values[names == name] - values[names == name].mean()) ** 2).sum() for name in set(groups)))
