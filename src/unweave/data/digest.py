"""The digest that names the content of a data set."""

import hashlib
import math

import numpy as np

from unweave.data.dataset import Dataset

ROWS = 4096  # whose factors are digested at once
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
