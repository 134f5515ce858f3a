"""A data set held in memory: images as they are stored, factors where they are known."""

import hashlib
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unweave.data.factors import within
from unweave.dataset import Card, Dataset
from unweave.tables import FactorTable, Pixels, Rows

Resized = UInt8[np.ndarray, "rows new_height new_width channel"]
SMALL = 1 << 30  # bytes; resized images of a set below this are kept beside the originals while resizing


class Labels(NamedTuple):
    """Factors of every row. Classes are 0 .. size - 1."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    classes: FactorTable


class Stored(Dataset):
    """Images of one shape; `size` gives size x size images, cut to their middle square first.

    They are resized once where that needs little memory, else at every call.
    """

    def __init__(self, name: str, pixels: Pixels, labels: Labels | None, card: Card, size: int | None = None) -> None:
        count, height, width, channels = pixels.shape
        self.name, self.card, self._labels = name, card, labels
        self.factor_names = labels.names if labels else ()
        self.factor_sizes = labels.sizes if labels else ()
        self.shape = (channels, size or height, size or width)
        needed = count * channels * self.shape[1] * self.shape[2]
        self._pixels = self._fit(pixels) if needed <= max(SMALL, pixels.nbytes // 2) else pixels

    def __len__(self) -> int:
        return len(self._pixels)

    def images(self, rows: Rows) -> Pixels:
        within(rows, len(self), "row")
        return self._fit(self._pixels[rows])

    def _fit(self, pixels: Pixels) -> Resized:
        return resized(pixels, self.shape[1:]) if pixels.shape[1:3] != self.shape[1:] else pixels

    def factors(self, rows: Rows) -> FactorTable | None:
        within(rows, len(self), "row")
        return self._labels.classes[rows] if self._labels else None

    def digest(self) -> str:
        content = hashlib.sha256(repr((self.shape, self.factor_names, self.factor_sizes)).encode())
        for start in range(0, len(self), 4096):
            rows = np.arange(start, min(start + 4096, len(self)))
            content.update(np.ascontiguousarray(self.images(rows)).data)
            if self._labels:
                content.update(np.ascontiguousarray(self._labels.classes[rows], dtype="<i8").data)
        return content.hexdigest()[:16]


def resized(pixels: Pixels, size: tuple[int, int]) -> Resized:
    """The middle of each image, cut to the proportions of (height, width) and resized to it, antialiased (Lanczos)."""
    height, width = size
    result = np.empty((len(pixels), height, width, pixels.shape[3]), np.uint8)
    box = middle(pixels.shape[1:3], size)
    for image, target in zip(pixels, result):
        picture = Image.fromarray(image if image.shape[2] == 3 else image[..., 0])
        small = picture.resize((width, height), Image.Resampling.LANCZOS, box=box)
        target[...] = np.asarray(small).reshape(target.shape)
    return result


def middle(have: tuple[int, int], want: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest centred box (left, top, right, bottom) with the proportions of `want`; both are (height, width)."""
    height, width = have
    scale = min(height / want[0], width / want[1])
    left, top = (width - want[1] * scale) / 2, (height - want[0] * scale) / 2
    return max(left, 0.0), max(top, 0.0), min(width - left, width), min(height - top, height)
