"""A data set held in memory: images as they are, factors where they are known."""

import hashlib
import math

import numpy as np

from unweave.data.dataset import Card, Dataset
from unweave.data.factors import within
from unweave.data.reading.image_files import resize_pixels
from unweave.data.reading.image_source import Labels
from unweave.types import FactorTable, Pixels, Rows

BLOCK = 8 << 20  # bytes of images that are digested at once


class Stored(Dataset):
    """Images of one shape; `size` gives size x size images, cut to their middle square first."""

    def __init__(self, name: str, pixels: Pixels, labels: Labels | None, card: Card, size: int | None = None) -> None:
        _, height, width, channels = pixels.shape
        self.name, self.card, self._labels = name, card, labels
        self.factor_names = labels.names if labels else ()
        self.factor_sizes = labels.sizes if labels else ()
        self.shape = (channels, size or height, size or width)
        self._pixels = resize_pixels(pixels, self.shape[1:])

    def __len__(self) -> int:
        return len(self._pixels)

    def images(self, rows: Rows) -> Pixels:
        within(rows, len(self), "row")
        return self._pixels[rows]

    def factors(self, rows: Rows) -> FactorTable | None:
        within(rows, len(self), "row")
        return self._labels.classes[rows] if self._labels else None

    def digest(self) -> str:
        return digest_of(self)


def digest_of(dataset: Dataset) -> str:
    """The digest of a data set, from all of its images and the factors of 4,096 rows at a time."""
    step = max(1, BLOCK // math.prod(dataset.shape))
    content = hashlib.sha256(repr((dataset.shape, dataset.factor_names, dataset.factor_sizes)).encode())
    for start in range(0, len(dataset), 4096):
        rows = np.arange(start, min(start + 4096, len(dataset)))
        for at in range(0, len(rows), step):
            content.update(np.ascontiguousarray(dataset.images(rows[at : at + step])).data)
        classes = dataset.factors(rows)
        if classes is not None:
            content.update(np.ascontiguousarray(classes, dtype="<i8").data)
    return content.hexdigest()[:16]
