"""Which rows of a table a metric sees: random rows, and rows that share the value of one factor.

The reference implementations draw factor values and render or look up an image of each. A table has no renderer, so:

- where the table is the complete grid of its factors (row-major, last factor fastest), the values are drawn from the
  same stream of `numpy.random.RandomState` as disentanglement_lib's, and the rows are theirs to the last one;
- where it is anything else (rows drawn from a larger grid, labelled photographs), rows are drawn with replacement
  among those that share the value. This approximates the first: the remaining factors then follow the joint
  distribution of the table given that value, instead of being independent and uniform.
"""

import typing

import numpy as np
from jaxtyping import Int

from unweave.evaluation.metrics import _replay
from unweave.types import FactorTable, UnitTable


class Tables(typing.NamedTuple):
    """Codes and factors of the same rows."""

    units: UnitTable
    factors: FactorTable


class FixedFactorRows(typing.NamedTuple):
    """Per vote the factor that is held fixed, and rows that share its value."""

    factor: Int[np.ndarray, "votes"]
    rows: Int[np.ndarray, "votes batch"]


class FixedFactorPairs(typing.NamedTuple):
    """Per point the factor that is held fixed, and pairs of rows that share its value pair by pair."""

    factor: Int[np.ndarray, "points"]
    first: Int[np.ndarray, "points batch"]
    second: Int[np.ndarray, "points batch"]


def is_complete_grid(factors: FactorTable) -> bool:
    """Whether the table is the complete grid of its factors, row-major, last factor fastest."""
    sizes = _replay.grid_sizes(factors)
    if np.prod(sizes.astype(float)) != len(factors):
        return False
    return bool(np.array_equal(factors @ _replay.grid_strides(sizes), np.arange(len(factors))))


def draw_with_replacement(
    factors: FactorTable, count: int, random: np.random.RandomState, *, batch: int = 16
) -> Int[np.ndarray, "count"]:
    """`count` random rows with replacement, as the reference draws them for MIG (in mini-batches of 16)."""
    if not is_complete_grid(factors):
        return random.randint(len(factors), size=count)
    return _replay.draw_rows(factors, count, batch, random)


def rows_to_score(factors: FactorTable, count: int, random: np.random.RandomState) -> Int[np.ndarray, "drawn"]:
    """`count` rows: as the reference draws them on a complete grid, else different rows, or all where they are fewer.

    A row that counted twice would look like more evidence than there is, which inflates mutual information.
    """
    if is_complete_grid(factors):
        return draw_with_replacement(factors, count, random)
    return random.permutation(len(factors))[:count]


def rows_to_train_and_test(
    factors: FactorTable, train: int, test: int, random: np.random.RandomState
) -> tuple[Int[np.ndarray, "train"], Int[np.ndarray, "test"]]:
    """Training and test rows: the reference's draws, one after the other, on a complete grid, else all different.

    A table that is no grid and has too few rows is split two to one. Deviates from the reference there, which draws
    with replacement: on a grid of 17,568 images 43 % of its test rows are training rows, which flatters the test
    accuracy (on a complete grid it is kept, for the sake of comparable numbers).
    """
    if is_complete_grid(factors):
        return draw_with_replacement(factors, train, random), draw_with_replacement(factors, test, random)
    total = len(factors)
    if total < train + test:
        train = total * train // (train + test)
        test = total - train
    if not train or not test:
        raise ValueError(f"training and test rows must differ, which needs 2 rows or more, got {total}.")
    order = random.permutation(total)
    return order[:train], order[train : train + test]


def rows_with_a_fixed_factor(
    factors: FactorTable, votes: int, batch: int, random: np.random.RandomState
) -> FixedFactorRows:
    """For each vote a random factor and `batch` rows that share its value (FactorVAE score)."""
    if is_complete_grid(factors):
        factor, rows = _replay.draw_fixed_factor_rows(factors, votes, 1, batch, random)
        return FixedFactorRows(factor, rows[:, 0])
    factor = random.randint(factors.shape[1], size=votes)
    row = random.randint(len(factors), size=votes)
    rows = _rows_alike(factors, factor[:, None], np.repeat(row[:, None], batch, axis=1), random)
    return FixedFactorRows(factor, rows)


def pairs_with_a_fixed_factor(
    factors: FactorTable, points: int, batch: int, random: np.random.RandomState
) -> FixedFactorPairs:
    """For each point a random factor and `batch` pairs of rows that share its value (BetaVAE score)."""
    if is_complete_grid(factors):
        factor, rows = _replay.draw_fixed_factor_rows(factors, points, 2, batch, random)
        return FixedFactorPairs(factor, rows[:, 0], rows[:, 1])
    factor = random.randint(factors.shape[1], size=points)
    first = random.randint(len(factors), size=(points, batch))
    return FixedFactorPairs(factor, first, _rows_alike(factors, factor[:, None], first, random))


def _rows_alike(
    factors: FactorTable,
    factor: Int[np.ndarray, "votes 1"],
    rows: Int[np.ndarray, "votes batch"],
    random: np.random.RandomState,
) -> Int[np.ndarray, "votes batch"]:
    """Random rows with the same value of `factor` as the given rows, one for each."""
    order = np.argsort(factors, axis=0, kind="stable")
    ranked = np.take_along_axis(factors, order, axis=0)
    start, stop = (
        np.stack([np.searchsorted(r, f, side) for r, f in zip(ranked.T, factors.T)], axis=1)
        for side in ("left", "right")
    )
    low, high = start[rows, factor], stop[rows, factor]
    return order[low + (random.random_sample(rows.shape) * (high - low)).astype(np.int64), factor]
