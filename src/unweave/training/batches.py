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


def rows_at(count: int, seed: int, seen: int, batch: int) -> Rows:
    """The rows of the batch that follows `seen` images: each epoch is a permutation drawn from (seed, epoch)."""
    positions = np.arange(seen, seen + batch)
    epochs = positions // count
    rows = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(epochs):
        rows[epochs == epoch] = _permutation(count, seed, int(epoch))[positions[epochs == epoch] % count]
    return rows


_last: dict[tuple[int, int, int], Rows] = {}


def _permutation(count: int, seed: int, epoch: int) -> Rows:
    key = (count, seed, epoch)
    if key not in _last:
        while len(_last) > 1:
            _last.pop(next(iter(_last)))
        _last[key] = np.random.default_rng([seed, epoch]).permutation(count)
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
        rows = rows_at(len(dataset), seed, at, min(batch, images - at))
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
