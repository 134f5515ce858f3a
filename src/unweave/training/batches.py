"""The order of images: a pure function of (seed, images seen), so that a resumed run sees the same ones."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from unweave.data.dataset import Dataset
from unweave.method import Batch
from unweave.tensors import to_images
from unweave.types import Pixels, Rows

MIXED_BLOCKS = 8
"""Blocks, such as shards, whose rows are shuffled together."""


def rows_at(count: int, seed: int, seen: int, batch: int, blocks: tuple[int, ...] = ()) -> Rows:
    """The rows of the batch that follows `seen` images: each epoch is a permutation drawn from (seed, epoch).

    Of a set in `blocks` (rows of each), which is read quickly in few of them at a time, the blocks are permuted, and
    the rows of eight blocks that follow each other: the order is known without a permutation of all rows.
    """
    positions = np.arange(seen, seen + batch)
    epochs = positions // count
    rows = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(epochs):
        inside = positions[epochs == epoch] % count
        if len(blocks) > 1:
            rows[epochs == epoch] = _rows_in_blocks(blocks, seed, int(epoch), inside)
        else:
            rows[epochs == epoch] = _permutation((count, seed, int(epoch)))[inside]
    return rows


def _rows_in_blocks(blocks: tuple[int, ...], seed: int, epoch: int, positions: Rows) -> Rows:
    """The rows at these positions of an epoch."""
    sizes = np.array(blocks)
    order = _permutation((len(blocks), seed, epoch))
    starts = (np.cumsum(sizes) - sizes)[order]
    ends = np.cumsum(np.add.reduceat(sizes[order], np.arange(0, len(order), MIXED_BLOCKS)))
    groups = np.searchsorted(ends, positions, side="right")
    rows = np.empty(len(positions), dtype=np.int64)
    for group in np.unique(groups):
        members = slice(group * MIXED_BLOCKS, (group + 1) * MIXED_BLOCKS)
        bounds = zip(starts[members], sizes[order[members]])
        pool = np.concatenate([np.arange(start, start + size) for start, size in bounds])
        inside = positions[groups == group] - (ends[group] - len(pool))
        rows[groups == group] = pool[_permutation((len(pool), seed, epoch, int(group)))[inside]]
    return rows


_last: dict[tuple[int, ...], Rows] = {}


def _permutation(key: tuple[int, ...]) -> Rows:
    """Of so many numbers, drawn from the rest of the key."""
    if key not in _last:
        while len(_last) > 3:
            _last.pop(next(iter(_last)))
        _last[key] = np.random.default_rng(key[1:]).permutation(key[0])
    return _last[key]


def batches(
    dataset: Dataset,
    seed: int,
    batch: int,
    seen: int,
    images: int,
    device: torch.device,
    share: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Batches until `images` have been seen; the next one is read while the present one is trained on.

    `share` is (process, processes): each reads its own part of every batch, one after the other; `batch`, `seen` and
    `images` are counted over all of them.
    """
    process, processes = share

    def read(at: int) -> tuple[Rows, Pixels]:
        rows = rows_at(len(dataset), seed, at, min(batch, images - at), dataset.blocks)
        rows = rows[process * len(rows) // processes : (process + 1) * len(rows) // processes]
        return rows, dataset.images(rows)

    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, seen) if seen < images else None
        while ahead is not None:
            rows, pixels = ahead.result()
            following = min(seen + batch, images)
            ahead = reader.submit(read, following) if following < images else None
            yield Batch(to_images(pixels, device), torch.from_numpy(rows).to(device), seen, images, seed)
            seen = following


def first_batch(dataset: Dataset, seed: int, batch: int, device: torch.device, share: tuple[int, int]) -> Batch:
    """This process's share of the first batch, for probes."""
    return next(batches(dataset, seed, batch, 0, batch, device, share))


class Waited:
    """The items of an iterator, and the seconds that were spent waiting for them."""

    def __init__(self, items: Iterator[Batch]) -> None:
        self.items, self.seconds, self.began = items, 0.0, time.perf_counter()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        began = time.perf_counter()
        try:
            return next(self.items)
        finally:
            self.seconds += time.perf_counter() - began

    def share(self) -> float:
        """The part of the time since the beginning, 0 .. 1."""
        return self.seconds / max(time.perf_counter() - self.began, 1e-9)
