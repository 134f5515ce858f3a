"""Images as they lie on disk, in whatever format: what a reader gives to the cache.

A data set on disk is a file of `unweave/data/sets/` or `formats/` whose `DATASET` (see data/dataset.py) has besides its
settings and `build`, which is `build_cached` of cache/cache.py:

    files(settings) -> list[Path]         what it reads: their content names the cache. Raises SettingsError
    source(settings) -> ImageSource       opens them
    child_process_only                    its reader is a C library for whole files, which a damaged file may crash
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unweave.config import SettingsError
from unweave.data.dataset import Card
from unweave.data.factors import FactorGrid
from unweave.data.reading.image_files import ImagePixels, resize_pixels
from unweave.data.settings import Reading
from unweave.types import Boxes, FactorTable, Pixels, Rows


class Labels(NamedTuple):
    """Factors of every row. Classes are 0 .. size - 1."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    classes: FactorTable


@dataclass(frozen=True)
class ImageBlock:
    """Consecutive rows of a source."""

    pixels: Pixels  # rows that cannot be read may hold anything
    bad: dict[int, str] = field(default_factory=dict)  # row of the source -> "FILE: what is wrong with it"


@dataclass(frozen=True)
class ImageSource:
    """An opened data set on disk. `read` gives rows start .. stop - 1, at the shape that is said here."""

    name: str
    card: Card
    shape: tuple[int, int, int]  # channels, height, width
    count: int
    read: Callable[[int, int], ImageBlock]
    labels: Labels | FactorGrid | None = None  # a grid: row i has the classes of row i of the grid
    files: tuple[str, ...] = ()  # the file of each row, where rows are files
    boxes: Boxes | None = None  # where rows are tiles of their files
    reading: Reading | None = None  # how numbers became pixels, where that is not said by the format
    splits: Mapping[str, Rows] = field(default_factory=dict)  # the publishers' own splits, by name
    in_order: bool = False  # can be read from the first row to the last only, as a compressed stream


def read_one_by_one(
    start: int,
    stop: int,
    shape: tuple[int, int, int],
    read: Callable[[int], ImagePixels],
    name_of: Callable[[int], str],
) -> ImageBlock:
    """Rows start .. stop - 1 read one by one, of shape (height, width, channels); one whose `read` raises ValueError is
    bad, by its name."""
    pixels = np.zeros((stop - start, *shape), np.uint8)
    bad: dict[int, str] = {}
    for row in range(start, stop):
        try:
            pixels[row - start] = read(row)
        except ValueError as error:
            bad[row] = f"{name_of(row)} cannot be read and is left out: {error}"
    return ImageBlock(pixels, bad)


def existing_file(path: Path, expected: str) -> Path:
    """The file of the setting data.path. Raises SettingsError where it is none."""
    file = path.expanduser()
    if not file.is_file():
        problem = "is a folder" if file.is_dir() else "does not exist"
        raise SettingsError(f"data.path: {file} {problem}; expected {expected}.")
    return file


RESIZE_BYTES = 16 << 20  # bytes of images that are resized at once


def resize_source(source: ImageSource, size: int | None) -> ImageSource:
    """The source with the middle squares of its images resized (antialiased) to size x size; None: as it is."""
    if size is None or source.shape[1:] == (size, size):
        return source
    rows = max(1, RESIZE_BYTES // math.prod(source.shape))

    def read(start: int, stop: int) -> ImageBlock:
        pixels = np.empty((stop - start, size, size, source.shape[0]), np.uint8)
        bad: dict[int, str] = {}
        for first in range(start, stop, rows):
            block = source.read(first, min(first + rows, stop))
            pixels[first - start : first - start + len(block.pixels)] = resize_pixels(block.pixels, (size, size))
            bad |= block.bad
        return ImageBlock(pixels, bad)

    return replace(source, shape=(source.shape[0], size, size), read=read)
