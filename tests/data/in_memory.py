"""A data set of given arrays, for tests."""

import numpy as np

from unweave.data.dataset import Card, Dataset
from unweave.data.digest import dataset_digest
from unweave.data.factors import check_range
from unweave.data.reading.image_source import Labels

CARD = Card("t", "s", "l")


class InMemory(Dataset):
    def __init__(self, name: str, pixels: np.ndarray, labels: Labels | None = None, card: Card = CARD) -> None:
        _, height, width, channels = pixels.shape
        self.name, self.card, self.shape = name, card, (channels, height, width)
        self.factor_names = labels.names if labels else ()
        self.factor_sizes = labels.sizes if labels else ()
        self._pixels, self._classes = pixels, labels.classes if labels else None

    def __len__(self) -> int:
        return len(self._pixels)

    def images(self, rows: np.ndarray) -> np.ndarray:
        check_range(rows, len(self), "row")
        return self._pixels[rows]

    def factors(self, rows: np.ndarray) -> np.ndarray | None:
        check_range(rows, len(self), "row")
        return None if self._classes is None else self._classes[rows]

    def digest(self) -> str:
        return dataset_digest(self)


class HalfReadable(InMemory):
    """A set of which every other picture cannot be read."""

    def readable_images(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
        good = rows[rows % 2 == 0]
        return self.images(good), good, {int(row): "cut short" for row in rows if row % 2}
