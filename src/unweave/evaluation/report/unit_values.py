"""What the values of units alone say of them: their spread, which copy others, which factor each follows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from unweave.evaluation.metrics.information import discretise, entropies, mutual_information
from unweave.runs.reduction import few_values
from unweave.runs.report_facts import FollowedFactor, Histogram, State, ValueFacts, ValueRange
from unweave.runs.unit_ranges import UnitValues
from unweave.types import FactorTable

COPIES_FROM = 0.9  # |rank correlation| from which a unit is folded away as a copy of one that moves more
FOLLOWS_FROM = 0.05  # of a factor; a unit that tells less follows none
SHUFFLES = 5  # tables of shuffled factors, for what chance tells
BINS = 24  # of a histogram

Values = Float[np.ndarray, "rows group"]


def value_facts(measured: UnitValues) -> list[ValueFacts]:
    """Histogram, range and correlations of every group."""
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.nan_to_num(np.atleast_2d(np.corrcoef(_ranks(measured.values).T)))
    words = [group.word for group in measured.groups]
    facts = []
    for i in range(len(words)):
        column = measured.values[:, i].astype(np.float64)
        counts, edges = np.histogram(column, BINS)
        low, median, high = np.quantile(column, [0.02, 0.5, 0.98]).tolist()
        facts.append(
            ValueFacts(
                range=ValueRange(low, median, high),
                spread=float(column.std()),
                explained=float(measured.reduction.explained[i]),
                histogram=Histogram(float(edges[0]), float(edges[-1]), counts.tolist()),
                correlations={word: float(correlations[i, j]) for j, word in enumerate(words) if j != i},
            )
        )
    return facts


def followed_factors(values: Values, factors: FactorTable, names: Sequence[str]) -> list[FollowedFactor | None]:
    """The factor that each unit tells most of, beyond chance (see `measure_units`); None where it tells of none."""
    columns = [j for j, column in enumerate(factors.T) if 1 < len(np.unique(column)) <= max(2, len(factors) // 10)]
    if not columns:
        return [None] * values.shape[1]
    factors, names = factors[:, columns], [names[j] for j in columns]
    binned, rng = _binned(values), np.random.default_rng(0)
    shuffled = [mutual_information(binned, rng.permuted(factors, axis=0)) for _ in range(SHUFFLES)]
    chance = np.mean(shuffled, axis=0)
    gain = (mutual_information(binned, factors) - chance).clip(min=0)
    return [_followed(shares, names) for shares in gain / np.maximum(entropies(factors) - chance, 1e-12)]


def _binned(values: Values) -> Int[np.ndarray, "rows group"]:
    """Bins of equal width; of discrete units, their values."""
    binned = discretise(values)
    for i, column in enumerate(values.T):
        if few_values(column) is not None:
            binned[:, i] = np.unique(column, return_inverse=True)[1]
    return binned


def _followed(shares: Float[np.ndarray, "factors"], names: Sequence[str]) -> FollowedFactor | None:
    best = int(shares.argmax())
    if shares[best] < FOLLOWS_FROM:
        return None
    return FollowedFactor(
        factor=names[best],
        information=float(shares[best]),
        purity=float(shares[best] / shares.sum()),
        shares={name: float(share) for name, share in zip(names, shares)},
    )


class UnitState(NamedTuple):
    state: State
    copy_of: int | None  # the position of the unit that it copies


def unit_states(values: Values, order: Sequence[int], alive: Sequence[bool] | np.ndarray) -> list[UnitState]:
    """Every unit live, dead, or a copy of a live one that comes before it in `order`."""
    ranks, live = _ranks(values), list[int]()
    states = [UnitState("dead", None)] * values.shape[1]
    for i in order:
        if not alive[i]:
            continue
        original = next((j for j in live if abs(np.corrcoef(ranks[:, i], ranks[:, j])[0, 1]) >= COPIES_FROM), None)
        states[i] = UnitState("live" if original is None else "copy", original)
        if original is None:
            live.append(i)
    return states


def _ranks(values: Values) -> Values:
    return np.apply_along_axis(rankdata, 0, values)
