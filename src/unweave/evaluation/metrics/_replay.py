"""The random draws of disentanglement_lib on a complete grid of factors, row for row: private to `row_sampling`.

The reference draws the values of the factors and looks up the image that has them. On a complete grid (row-major, last
factor fastest) the values say which row that is, so the same calls of the same generator give the same rows.
"""

import numpy as np
from jaxtyping import Int

from unweave.types import FactorTable


def grid_sizes(factors: FactorTable) -> Int[np.ndarray, "factors"]:
    """How many values every factor of the grid has."""
    return factors.max(0).astype(np.int64) + 1


def grid_strides(sizes: Int[np.ndarray, "factors"]) -> Int[np.ndarray, "factors"]:
    """What a step of one in each factor adds to the row number."""
    return np.append(np.cumprod(sizes[:0:-1])[::-1], 1)


def draw_rows(factors: FactorTable, count: int, batch: int, random: np.random.RandomState) -> Int[np.ndarray, "count"]:
    """`count` random rows of a grid, drawn in mini-batches: per batch one `randint` for each factor."""
    sizes = grid_sizes(factors)
    parts = [min(batch, count - done) for done in range(0, count, batch)]
    values = [np.stack([random.randint(size, size=part) for size in sizes], axis=1) for part in parts]
    return np.concatenate(values) @ grid_strides(sizes)


def draw_fixed_factor_rows(
    factors: FactorTable, votes: int, sets: int, batch: int, random: np.random.RandomState
) -> tuple[Int[np.ndarray, "votes"], Int[np.ndarray, "votes sets batch"]]:
    """The factors and rows that the reference's calls of `random.randint` give, and the state they leave behind.

    Per vote: `randint(n_factors)`; per set and factor j `randint(size_j, size=batch)`; then the fixed column of the
    first set takes the value of its first row (one set) or that of the second set the first's, row by row (two sets).
    NumPy draws an integer by masking 32-bit words until one is small enough; here the words are drawn at once and
    read by a compiled loop, about 20 times faster than the calls.
    """
    from unweave.evaluation.metrics._replay_loop import read_rows

    sizes = grid_sizes(factors)
    words_each = [2 ** int(size - 1).bit_length() / size for size in (factors.shape[1], *sizes)]  # expected
    count = int(1.01 * votes * (words_each[0] + sets * batch * sum(words_each[1:]))) + 1000
    state = random.get_state()
    while True:
        words = random.randint(0, 2**32, size=count, dtype=np.uint32)
        factor, rows, used = read_rows(words, sizes, grid_strides(sizes), votes, sets, batch)
        random.set_state(state)
        if used >= 0:
            random.randint(0, 2**32, size=used, dtype=np.uint32)
            return factor, rows
        count *= 2
