"""The compiled loop of `_replay`: random words to rows of a grid. In a file of its own, because numba loads slowly."""

import typing

import numpy as np
from jaxtyping import UInt32

from unweave.files import compiled


@compiled()
@typing.no_type_check
def read_rows(words: UInt32[np.ndarray, "words"], sizes, strides, votes, sets, batch):  # type: ignore
    """The fixed factor and the rows of every vote, and how many words that took: -1 where there are too few."""
    n = len(sizes)
    factor = np.zeros(votes, np.int64)
    rows = np.zeros((votes, sets, batch), np.int64)
    values = np.empty((sets, n, batch), np.int64)
    used = 0
    for vote in range(votes):
        factor[vote], used = _read_integer(words, used, n)
        for s in range(sets):
            for j in range(n):
                for b in range(batch):
                    values[s, j, b], used = _read_integer(words, used, sizes[j])
        k = factor[vote]
        for b in range(batch):
            values[sets - 1, k, b] = values[0, k, b if sets == 2 else 0]
        for s in range(sets):
            for j in range(n):
                for b in range(batch):
                    rows[vote, s, b] += values[s, j, b] * strides[j]
        if used > len(words):
            return factor, rows, -1
    return factor, rows, used


@compiled()
@typing.no_type_check
def _read_integer(words, used, size):  # type: ignore
    """An integer below `size` from the first word at or after `used` that is small enough, and the words used then."""
    mask = 0
    while mask < size - 1:
        mask = 2 * mask + 1
    while mask and used < len(words):
        value = np.int64(words[used]) & mask
        used += 1
        if value < size:
            return value, used
    return 0, used + (mask > 0)  # one value needs no word; past the end marks the words as too few
