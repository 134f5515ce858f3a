"""A known factor set aside: pictures of each of its classes, such as plates, brought to one brightness and contrast.

What differs between the plates, days or cameras of a set is mostly how bright the pictures are and how strong their
contrast is, channel by channel. Corrected before training, it is nothing that units could learn. The correction is a
straight line a plate and channel: what a plate does beyond that (blur, shading, other content) stays, so that a probe
has to say what is left (`evaluation.factor_aside`). It moves apart what is alike where plates have different content.
"""

import hashlib
import logging
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float, Int, UInt8

from unweave.config import SettingsError, nearest
from unweave.data.dataset import Dataset, ReadablePixels, ReadableRows
from unweave.data.sampling import row_chunks
from unweave.types import FactorTable, Pixels, Rows

logger = logging.getLogger(__name__)

LOOKED_AT = 5_000  # pictures, from which means and deviations are taken, shared by the classes
MOST, LEAST = 1_000, 50  # of them for each class
CHUNK = 100  # pictures that are held as numbers of 8 bytes at a time

PictureClasses = Int[np.ndarray, "row"]
Levels = UInt8[np.ndarray, "class channel 256"]
"""What each level of a channel becomes in pictures of a class."""


class CorrectedDataset(Dataset):
    """The pictures of another set, corrected by the classes of a factor, which is no factor of this set."""

    def __init__(self, base: Dataset, factor: str) -> None:
        self.base, self.aside = base, factor
        self.column = base.factor_names.index(factor)
        self.name, self.shape, self.card = base.name, base.shape, base.card
        self.files, self.left_out, self.boxes, self.splits = base.files, base.left_out, base.boxes, base.splits
        self.reading, self.colours, self.blocks = base.reading, base.colours, base.blocks
        others = [column for column in range(len(base.factor_names)) if column != self.column]
        self.factor_names = tuple(base.factor_names[column] for column in others)
        self.factor_sizes = tuple(base.factor_sizes[column] for column in others)

    def __len__(self) -> int:
        return len(self.base)

    @cached_property
    def levels(self) -> Levels:
        """Taken from the pictures when one is first asked for: a set is often opened for its shape alone."""
        return corrected_levels(self.base, self.column)

    def images(self, rows: Rows) -> Pixels:
        return self.correct(self.base.images(rows), rows)

    def readable_images(self, rows: Rows) -> tuple[ReadablePixels, ReadableRows, dict[int, str]]:
        pixels, readable, bad = self.base.readable_images(rows)
        return self.correct(pixels, readable), readable, bad

    def correct(self, pixels: Pixels, rows: Rows) -> Pixels:
        """The pictures at these rows, from what they are in the other set."""
        levels, channels = self.levels[self.classes(rows)], np.arange(pixels.shape[3])
        return levels[np.arange(len(rows))[:, None, None, None], channels, pixels]

    def factors(self, rows: Rows) -> FactorTable | None:
        table = None if not self.factor_names else self.base.factors(rows)
        return None if table is None else np.delete(table, self.column, 1)

    def classes(self, rows: Rows) -> PictureClasses:
        """The classes of what is set aside at these rows."""
        return classes_at(self.base, self.column, rows)

    def digest(self) -> str:
        content = hashlib.sha256(f"{self.base.digest()} {self.aside}".encode())
        content.update(np.ascontiguousarray(self.levels).data)
        return content.hexdigest()[:16]


def correct_by(dataset: Dataset, factor: str) -> CorrectedDataset:
    """The set without this factor. Raises SettingsError where it has no such factor, or one class of it."""
    if not dataset.factor_names:
        raise SettingsError(
            f"data.aside={factor}: {dataset.name} has no known factors; give a table with a column {factor!r}, as "
            "by data.labels=plates.csv."
        )
    names = dataset.factor_names
    if factor not in names:
        has = ", ".join(names)
        raise SettingsError(
            f"data.aside: {dataset.name} has no factor {factor!r}.{nearest(factor, names)} It has: {has}."
        )
    if dataset.factor_sizes[dataset.factor_names.index(factor)] < 2:
        raise SettingsError(
            f"data.aside={factor}: all images have the same {factor}, so there is nothing to set aside."
        )
    return CorrectedDataset(dataset, factor)


def corrected_levels(dataset: Dataset, column: int) -> Levels:
    """For each class and channel the straight line that gives its pictures the mean and the deviation of all classes,
    rounded and cut to 0 .. 255.

    Both are taken over the pixels of random pictures, some 5,000 in all; classes count alike. A warning names classes
    with fewer than 50 pictures, whose content is corrected as well.
    """
    parts = [classes_at(dataset, column, rows) for rows in row_chunks(np.arange(len(dataset)))]
    classes, rng = np.concatenate(parts), np.random.default_rng(0)
    counts = np.bincount(classes, minlength=dataset.factor_sizes[column])
    if few := int(((counts > 0) & (counts < LEAST)).sum()):
        name, there = dataset.factor_names[column], int((counts > 0).sum())
        _warn_once(
            f"data.aside={name}: {few} of {there} classes with fewer than {LEAST} images, of which what they show is "
            "taken out as well"
        )
    most = int(np.clip(LOOKED_AT // len(counts), LEAST, MOST))
    found = [moments(dataset, rng.permutation(np.flatnonzero(classes == one))[:most]) for one in range(len(counts))]
    means, deviations = (np.array(each) for each in zip(*found, strict=True))  # (class, channel)
    mean, deviation = np.nanmean(means, 0), np.sqrt(np.nanmean(np.square(deviations), 0))
    gain = np.where(deviations > 0, deviation / np.where(deviations > 0, deviations, 1), 1.0)
    lines = (np.arange(256) - means[..., None]) * gain[..., None] + mean[:, None]
    return np.nan_to_num(lines.round().clip(0, 255)).astype(np.uint8)


@lru_cache
def _warn_once(text: str) -> None:
    logger.warning(text)


def moments(dataset: Dataset, rows: Rows) -> tuple[Float[np.ndarray, "channel"], Float[np.ndarray, "channel"]]:
    """Mean and deviation of each channel over the pixels of these rows; not numbers where there is no row."""
    if not len(rows):
        return np.full(dataset.shape[0], np.nan), np.full(dataset.shape[0], np.nan)
    sums = np.zeros((2, dataset.shape[0]))
    for part in np.array_split(np.sort(rows), -(-len(rows) // CHUNK)):
        pixels = dataset.images(part).astype(np.float64)
        sums += np.stack([pixels.sum((0, 1, 2)), np.square(pixels).sum((0, 1, 2))])
    mean, square = sums / (len(rows) * dataset.shape[1] * dataset.shape[2])
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


def classes_at(dataset: Dataset, column: int, rows: Rows) -> PictureClasses:
    table = dataset.factors(rows)
    assert table is not None
    return table[:, column]
