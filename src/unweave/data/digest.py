"""Digests that name contents: of data sets, and of files with progress."""

import hashlib
import math
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from unweave.data.dataset import Dataset

ROWS = 4096  # whose factors are digested at once
READ_BYTES = 1 << 20  # of a file, at once
IMAGE_BYTES = 8 << 20  # of the images that are digested at once


def dataset_digest(dataset: Dataset) -> str:
    """16 hexadecimal digits that follow from shape, factor names and sizes, all images and all factors."""
    step = max(1, IMAGE_BYTES // math.prod(dataset.shape))
    content = hashlib.sha256(repr((dataset.shape, dataset.factor_names, dataset.factor_sizes)).encode())
    for start in range(0, len(dataset), ROWS):
        rows = np.arange(start, min(start + ROWS, len(dataset)))
        for first in range(0, len(rows), step):
            content.update(np.ascontiguousarray(dataset.images(rows[first : first + step])).data)
        classes = dataset.factors(rows)
        if classes is not None:
            content.update(np.ascontiguousarray(classes, dtype="<i8").data)
    return content.hexdigest()[:16]


def sha256_of(file: IO[bytes], update: Callable[[int], None]) -> Any:
    """The sha256, as hashlib's object, of what is left of an open file; `update` is told the bytes that are read."""
    content, done = hashlib.sha256(), 0
    while block := file.read(READ_BYTES):
        content.update(block)
        update(done := done + len(block))
    return content
