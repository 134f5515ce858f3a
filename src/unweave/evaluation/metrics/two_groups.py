"""How two groups of rows differ in each number of a table: Cliff's delta, its interval, and what chance would give.

Rows of one replicate (tiles of a picture, pictures of an animal) are not independent: the variance is that of
Obuchowski (Biometrics 53:567, 1997), which is DeLong's where every row is its own replicate, and the test permutes what
was free to vary: replicates among groups where each lies in one group, rows inside a replicate where it has both.
"""

from math import comb, prod
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from unweave.types import UnitTable

PERMUTATIONS = 9_999
FEWEST_REPLICATES = 3  # of each group, below which nothing is tested
FOLDS = 5

InB = Bool[np.ndarray, "rows"]
"""Whether a row is of the second group."""

Replicates = Int[np.ndarray, "rows"]
"""The replicate of each row."""


class GroupDifference(NamedTuple):
    """Of one number between two groups."""

    delta: float  # Cliff's, in [-1, 1]: how much more often a row of B is above one of A than below it
    low: float  # of the interval of 95 %
    high: float
    p: float  # of a delta as far from 0 by chance
    adjusted: float  # p by Benjamini and Hochberg over all numbers

    @property
    def auroc(self) -> float:
        """The chance that a row of B is above one of A."""
        return (self.delta + 1) / 2


class Ceiling(NamedTuple):
    """How well all numbers together tell the groups apart, on rows (or replicates) that were not learned from."""

    auroc: float  # in [0, 1]; 0.5 is chance
    low: float
    high: float


def design(in_b: InB, replicates: Replicates | None) -> Literal["rows", "nested", "crossed"]:
    """Rows without replicates; replicates that each lie in one group; replicates that all have rows of both.

    Raises ValueError where some are of one group and some of both, and for fewer than three of a group.
    """
    if replicates is None:
        if min(in_b.sum(), (~in_b).sum()) < FEWEST_REPLICATES:
            raise ValueError(f"a group has fewer than {FEWEST_REPLICATES} rows: nothing can be said of them.")
        return "rows"
    numbers = np.unique(replicates)
    both = [bool(in_b[replicates == number].any() and not in_b[replicates == number].all()) for number in numbers]
    if all(both):
        if len(numbers) < FEWEST_REPLICATES:
            raise ValueError(f"{len(numbers)} replicates are too few: {FEWEST_REPLICATES} are needed.")
        return "crossed"
    if any(both):
        raise ValueError(
            f"{sum(both)} of {len(numbers)} replicates have rows of both groups and the others of one: compare the "
            "former alone, or the latter."
        )
    counts = [len(np.unique(replicates[group])) for group in (~in_b, in_b)]
    if min(counts) < FEWEST_REPLICATES:
        raise ValueError(
            f"the groups have {counts[0]} and {counts[1]} replicates: {FEWEST_REPLICATES} of each are needed, because "
            "rows of one replicate say again what the first has said."
        )
    return "nested"


def smallest_p(in_b: InB, replicates: Replicates | None = None) -> float:
    """The least p that the groups allow, before it is adjusted: one of all ways to exchange what was free to vary.

    It is twice that where exchanging both groups is one of the ways, and no less than permutations can say. Three
    replicates against three give 0.1. Raises ValueError as `design` does.
    """
    kind = design(in_b, replicates)
    each = np.arange(len(in_b)) if replicates is None else np.unique(replicates, return_inverse=True)[1]
    if kind == "crossed":
        counts = [(int(n), int(k)) for n, k in zip(np.bincount(each), np.bincount(each[in_b]))]
    else:
        a, b = (len(np.unique(each[group])) for group in (~in_b, in_b))
        counts = [(a + b, b)]
    mirrored = all(n == 2 * k for n, k in counts)
    least = (1 + mirrored) / prod(comb(n, k) for n, k in counts)
    return least if kind == "rows" else max(least, 1 / (PERMUTATIONS + 1))


def differences(
    values: UnitTable, in_b: InB, replicates: Replicates | None = None, seed: int = 0
) -> list[GroupDifference]:
    """Of every column of the table. Raises ValueError as `design` does."""
    kind = design(in_b, replicates)
    each = np.arange(len(in_b)) if replicates is None else np.unique(replicates, return_inverse=True)[1]
    ranks = stats.rankdata(values, axis=0)
    aurocs = _aurocs(ranks, in_b)
    if kind == "rows":
        p = np.atleast_1d(stats.mannwhitneyu(values[in_b], values[~in_b], axis=0).pvalue)
    else:
        p = _permuted(ranks, in_b, each, kind, np.random.default_rng(seed))
    p = np.nan_to_num(p, nan=1.0)
    adjusted = stats.false_discovery_control(p)
    bounds = [_interval(values[:, k], in_b, each, kind) for k in range(values.shape[1])]
    return [
        GroupDifference(float(2 * auroc - 1), 2 * low - 1, 2 * high - 1, float(p[k]), float(adjusted[k]))
        for k, (auroc, (low, high)) in enumerate(zip(aurocs, bounds))
    ]


def ceiling(values: UnitTable, in_b: InB, replicates: Replicates | None = None, seed: int = 0) -> Ceiling:
    """The AUROC of a logistic regression on standardised columns over five folds; no replicate is in two of them."""
    kind = design(in_b, replicates)
    each = np.arange(len(in_b)) if replicates is None else np.unique(replicates, return_inverse=True)[1]
    folds = min(FOLDS, *(len(np.unique(each[group])) for group in (in_b, ~in_b)))
    scores = np.zeros(len(in_b))
    for train, test in _folds(in_b, each, kind, folds, seed):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
        scores[test] = _ranked(model.fit(values[train], in_b[train]).decision_function(values[test]))
    auroc = float(_aurocs(stats.rankdata(scores)[:, None], in_b)[0])
    return Ceiling(auroc, *_interval(scores, in_b, each, kind))


def _folds(in_b: InB, each: Replicates, kind: str, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to try; replicates stay together, and every fold has some of both groups."""
    if kind == "crossed":
        return list(GroupKFold(folds).split(in_b, in_b, each))
    numbers, first = np.unique(each, return_index=True)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(numbers, in_b[first])
    return [(np.flatnonzero(np.isin(each, train)), np.flatnonzero(np.isin(each, test))) for train, test in split]


def _ranked(scores: Float[np.ndarray, "rows"]) -> Float[np.ndarray, "rows"]:
    """In (0, 1): scores of models of several folds are not of one scale."""
    return stats.rankdata(scores) / (len(scores) + 1)


def _aurocs(ranks: UnitTable, in_b: InB) -> Float[np.ndarray, "units"]:
    above, below = int(in_b.sum()), int((~in_b).sum())
    return (ranks[in_b].sum(0) - above * (above + 1) / 2) / (above * below)


def _permuted(ranks: UnitTable, in_b: InB, each: Replicates, kind: str, rng: np.random.Generator) -> np.ndarray:
    """The share of permutations whose AUROC is as far from 0.5, by column; the data's own is one of them."""
    observed = np.abs(_aurocs(ranks, in_b) - 0.5)
    numbers, first = np.unique(each, return_index=True)
    farther = np.ones(ranks.shape[1])
    if kind == "nested":
        sums = np.stack([ranks[each == number].sum(0) for number in numbers])
        sizes = np.bincount(each)
        for _ in range(PERMUTATIONS):
            chosen = rng.permutation(in_b[first])
            above = int(sizes[chosen].sum())
            auroc = (sums[chosen].sum(0) - above * (above + 1) / 2) / (above * (len(each) - above))
            farther += np.abs(auroc - 0.5) >= observed - 1e-12
        return farther / (PERMUTATIONS + 1)
    order = np.argsort(each, kind="stable")
    for _ in range(PERMUTATIONS):
        shuffled = np.lexsort((rng.random(len(each)), each))  # rows change places inside their replicate
        chosen = np.empty_like(in_b)
        chosen[order] = in_b[shuffled]
        farther += np.abs(_aurocs(ranks, chosen) - 0.5) >= observed - 1e-12
    return farther / (PERMUTATIONS + 1)


def _interval(column: Float[np.ndarray, "rows"], in_b: InB, each: Replicates, kind: str) -> tuple[float, float]:
    """95 % of the AUROC: Obuchowski's variance on the scale of the logit, with Student's t over replicates."""
    b, a = column[in_b], column[~in_b]
    of_b, of_a = _placements(b, a), _placements(a, b)
    auroc = float(of_b.mean())
    count = int(each.max()) + 1
    b_sums = np.bincount(each[in_b], of_b - auroc, count)
    a_sums = np.bincount(each[~in_b], 1 - of_a - auroc, count)
    groups = [len(np.unique(each[group])) for group in (in_b, ~in_b)]
    variance = sum(
        n / (n - 1) * (sums**2).sum() / size**2 for n, sums, size in zip(groups, (b_sums, a_sums), (len(b), len(a)))
    )
    freedom = sum(groups) - 2
    if kind == "crossed":
        variance += 2 * count / (count - 1) * (b_sums * a_sums).sum() / (len(b) * len(a))
        freedom = count - 1
    margin = 0.5 / min(groups)  # so many replicates cannot say that an AUROC is nearer to 0 or 1
    held = float(np.clip(auroc, margin, 1 - margin))
    step = stats.t.ppf(0.975, freedom) * np.sqrt(max(variance, 0.0)) / (held * (1 - held))
    logit = np.log(held / (1 - held))
    low, high = (float(1 / (1 + np.exp(-(logit + sign * step)))) for sign in (-1, 1))
    return min(low, auroc), max(high, auroc)


def _placements(values: Float[np.ndarray, "some"], others: Float[np.ndarray, "more"]) -> Float[np.ndarray, "some"]:
    """The share of the others that is below each value; half of those that are equal."""
    ordered = np.sort(others)
    below, upto = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (below + upto) / (2 * len(ordered))
