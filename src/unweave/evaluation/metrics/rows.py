"""Which rows a metric looks at: random rows, and rows that share the value of one factor.

The reference implementations draw factor values and render or look up an image of each. A table has no renderer, so:

- where the table is the complete grid of its factors (row-major, last factor fastest), the values are drawn from the
  same stream of `numpy.random.RandomState` as disentanglement_lib's, and the rows are theirs to the last one;
- where it is anything else (rows drawn from a larger grid, labelled photographs), rows are drawn with replacement
  among those that share the value. This approximates the first: the remaining factors then follow the joint
  distribution of the table given that value, instead of being independent and uniform.
"""

import typing

import numpy as np
from jaxtyping import Int, UInt32
from numba import njit

from unweave.types import FactorTable, UnitTable


class Tables(typing.NamedTuple):
    """Codes and factors of the same rows."""

    units: UnitTable
    factors: FactorTable


class Votes(typing.NamedTuple):
    """Per vote the factor that is held fixed, and rows that share its value."""

    factor: Int[np.ndarray, "votes"]
    rows: Int[np.ndarray, "votes batch"]


class Pairs(typing.NamedTuple):
    """Per point the factor that is held fixed, and pairs of rows that share its value pair by pair."""

    factor: Int[np.ndarray, "points"]
    first: Int[np.ndarray, "points batch"]
    second: Int[np.ndarray, "points batch"]


def is_grid(factors: FactorTable) -> bool:
    """Whether the table is the complete grid of its factors, row-major, last factor fastest."""
    sizes = _sizes(factors)
    if np.prod(sizes.astype(float)) != len(factors):
        return False
    return bool(np.array_equal(factors @ _strides(sizes), np.arange(len(factors))))


def draw(
    factors: FactorTable, count: int, random: np.random.RandomState, *, batch: int = 16
) -> Int[np.ndarray, "count"]:
    """`count` random rows with replacement, as the reference draws them for MIG (in mini-batches of 16)."""
    if not is_grid(factors):
        return random.randint(len(factors), size=count)
    sizes = _sizes(factors)
    parts = [min(batch, count - done) for done in range(0, count, batch)]
    values = [np.stack([random.randint(size, size=part) for size in sizes], axis=1) for part in parts]
    return np.concatenate(values) @ _strides(sizes)


def sample(factors: FactorTable, count: int, random: np.random.RandomState) -> Int[np.ndarray, "drawn"]:
    """`count` rows: the reference's `draw` on a complete grid, else different rows, all there are where they are fewer.

    A row that counted twice would look like more evidence than there is, which inflates mutual information.
    """
    if is_grid(factors):
        return draw(factors, count, random)
    return random.permutation(len(factors))[:count]


def split(
    factors: FactorTable, train: int, test: int, random: np.random.RandomState
) -> tuple[Int[np.ndarray, "train"], Int[np.ndarray, "test"]]:
    """Training and test rows: the reference's draws, one after the other, on a complete grid, else all different.

    A table that is no grid and has too few rows is split two to one. Deviates from the reference there, which draws
    with replacement: on a grid of 17,568 images 43 % of its test rows are training rows, which flatters the test
    accuracy (on a complete grid it is kept, for the sake of comparable numbers).
    """
    if is_grid(factors):
        return draw(factors, train, random), draw(factors, test, random)
    total = len(factors)
    if total < train + test:
        train = total * train // (train + test)
        test = total - train
    if not train or not test:
        raise ValueError(f"training and test rows must differ, which needs 2 rows or more, got {total}.")
    order = random.permutation(total)
    return order[:train], order[train : train + test]


def sharing(factors: FactorTable, votes: int, batch: int, random: np.random.RandomState) -> Votes:
    """For each vote a random factor and `batch` rows that share its value (FactorVAE score)."""
    if is_grid(factors):
        factor, rows = _replay(factors, votes, 1, batch, random)
        return Votes(factor, rows[:, 0])
    factor = random.randint(factors.shape[1], size=votes)
    row = random.randint(len(factors), size=votes)
    return Votes(factor, _alike(factors, factor[:, None], np.repeat(row[:, None], batch, axis=1), random))


def pairs(factors: FactorTable, points: int, batch: int, random: np.random.RandomState) -> Pairs:
    """For each point a random factor and `batch` pairs of rows that share its value (BetaVAE score)."""
    if is_grid(factors):
        factor, rows = _replay(factors, points, 2, batch, random)
        return Pairs(factor, rows[:, 0], rows[:, 1])
    factor = random.randint(factors.shape[1], size=points)
    first = random.randint(len(factors), size=(points, batch))
    return Pairs(factor, first, _alike(factors, factor[:, None], first, random))


def _sizes(factors: FactorTable) -> Int[np.ndarray, "factors"]:
    return factors.max(0).astype(np.int64) + 1


def _strides(sizes: Int[np.ndarray, "factors"]) -> Int[np.ndarray, "factors"]:
    return np.append(np.cumprod(sizes[:0:-1])[::-1], 1)


def _alike(
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


def _replay(
    factors: FactorTable, votes: int, sets: int, batch: int, random: np.random.RandomState
) -> tuple[Int[np.ndarray, "votes"], Int[np.ndarray, "votes sets batch"]]:
    """The factors and rows that the reference's calls of `random.randint` give, and the state they leave behind.

    Per vote: `randint(n_factors)`; per set and factor j `randint(size_j, size=batch)`; then the fixed column of the
    first set takes the value of its first row (one set) or that of the second set the first's, row by row (two sets).
    NumPy draws an integer by masking 32-bit words until one is small enough; here the words are drawn at once and
    read by a compiled loop, about 20 times faster than the calls.
    """
    sizes = _sizes(factors)
    words_each = [2 ** int(size - 1).bit_length() / size for size in (factors.shape[1], *sizes)]  # expected
    count = int(1.01 * votes * (words_each[0] + sets * batch * sum(words_each[1:]))) + 1000
    before = random.get_state()
    while True:
        words = random.randint(0, 2**32, size=count, dtype=np.uint32)
        factor, rows, used = _read(words, sizes, _strides(sizes), votes, sets, batch)
        random.set_state(before)
        if used >= 0:
            random.randint(0, 2**32, size=used, dtype=np.uint32)
            return factor, rows
        count *= 2


@njit(cache=True)
@typing.no_type_check
def _read(words: UInt32[np.ndarray, "words"], sizes, strides, votes, sets, batch):  # type: ignore
    n = len(sizes)
    factor = np.zeros(votes, np.int64)
    rows = np.zeros((votes, sets, batch), np.int64)
    values = np.empty((sets, n, batch), np.int64)
    at = 0
    for vote in range(votes):
        factor[vote], at = _bounded(words, at, n)
        for s in range(sets):
            for j in range(n):
                for b in range(batch):
                    values[s, j, b], at = _bounded(words, at, sizes[j])
        k = factor[vote]
        for b in range(batch):
            values[sets - 1, k, b] = values[0, k, b if sets == 2 else 0]
        for s in range(sets):
            for j in range(n):
                for b in range(batch):
                    rows[vote, s, b] += values[s, j, b] * strides[j]
        if at > len(words):
            return factor, rows, -1
    return factor, rows, at


@njit(cache=True)
@typing.no_type_check
def _bounded(words, at, size):  # type: ignore
    mask = 0
    while mask < size - 1:
        mask = 2 * mask + 1
    while mask and at < len(words):
        value = np.int64(words[at]) & mask
        at += 1
        if value < size:
            return value, at
    return 0, at + (mask > 0)  # one value needs no word; past the end marks the words as too few
