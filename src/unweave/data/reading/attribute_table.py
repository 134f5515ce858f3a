"""Image files with a text file that says what is on each: CelebA's tables, and the files that its rows name."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unweave.data.reading.image_files import IMAGE_ENDINGS, Box, ImagePixels, decode_image
from unweave.data.reading.image_source import ImageBlock, Labels, read_one_by_one
from unweave.foreign import errors_as
from unweave.types import FactorTable, Rows

ATTRIBUTE_CLASSES = {"-1": 0, "1": 1}
"""How CelebA writes that a face has an attribute (1) or not."""


class AttributeTable(NamedTuple):
    """A table of yes (1) and no (0), a row per image file."""

    files: tuple[str, ...]
    names: tuple[str, ...]
    classes: FactorTable

    def labels(self) -> Labels:
        """Each attribute as a factor of two classes, whether or not both occur."""
        return Labels(self.names, (2,) * len(self.names), self.classes)


def text_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank. Raises ValueError where it is no text or there are none."""
    with errors_as(UnicodeDecodeError, lambda error: ValueError(f"{path} is no text file: {error}. Get it again.")):
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty. Get it again.")
    return lines


def read_attributes(path: Path) -> AttributeTable:
    """An attribute file of CelebA or CelebA-HQ: the number of images, the names, then a file and a 1 or -1 for each.

    Raises ValueError where the number of rows is not the announced one, a row is short, or a file has two rows.
    """
    first, *rest = text_lines(path)
    if not rest or not first.strip().isdecimal() or len(first) > 12:
        raise ValueError(
            f"{path} must begin with a line with the number of images, then one with names: got {first!r}."
        )
    names, rows = rest[0].split(), rest[1:]
    if len(rows) != int(first):
        raise ValueError(f"{path} announces {int(first):,} images and has {len(rows):,} rows. Get it again.")
    if len(set(names)) != len(names):
        raise ValueError(f"{path} must name every attribute once, got {' '.join(names)}.")
    files: dict[str, None] = {}  # in order
    values = bytearray()
    for number, row in enumerate(rows, start=3):
        file, *marks = row.split()
        if len(marks) != len(names) or not ATTRIBUTE_CLASSES.keys() >= set(marks):
            raise ValueError(
                f"line {number} of {path} must be a file and {len(names)} times 1 or -1, got {row[:200]!r}."
            )
        if file in files:
            raise ValueError(f"{path} has two rows for {file!r}.")
        files[file] = None
        values.extend(map(ATTRIBUTE_CLASSES.__getitem__, marks))
    table = np.frombuffer(bytes(values), np.uint8).reshape(len(files), len(names))
    return AttributeTable(tuple(files), tuple(names), table.astype(np.int64))


def read_splits(path: Path, files: Sequence[str]) -> dict[str, Rows]:
    """Splits from a file that gives each image 0 (train), 1 (valid) or 2 (test), as rows of `files`.

    Raises ValueError where it does not name these files, each once.
    """
    splits: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    row_of = {file: row for row, file in enumerate(files)}
    for line in text_lines(path):
        words = line.split()
        if len(words) != 2 or words[1] not in ("0", "1", "2"):
            raise ValueError(
                f"{path} must have lines of a file and 0 (train), 1 (valid) or 2 (test), got {line[:200]!r}."
            )
        row = row_of.pop(words[0], None)
        if row is None:
            raise ValueError(f"{path} names {words[0]!r} twice, or has other files than the table of attributes.")
        splits[list(splits)[int(words[1])]].append(row)
    if row_of:
        raise ValueError(
            f"{path} says nothing of {len(row_of):,} of {len(files):,} images, such as {next(iter(row_of))!r}."
        )
    return {name: np.sort(np.array(rows, np.int64)) for name, rows in splits.items() if rows}


def image_names_by_stem(folder: Path) -> dict[str, str]:
    """The image files in a folder: names by name without ending, sorted."""
    with os.scandir(folder) as entries:
        names = [file.name for file in entries if file.name.lower().endswith(IMAGE_ENDINGS) and file.is_file()]
    return {stem(name): name for name in sorted(names) if not name.startswith(".")}


def stem(name: str) -> str:
    """A file name without its ending."""
    return os.path.splitext(name)[0]


def picture_reader(
    files: Sequence[Path | None], row_names: Sequence[str], size: int, box: Box | None
) -> Callable[[int, int], ImageBlock]:
    """Reads row i from files[i], its `box` (the middle square, if None) resized to size x size.

    A row without a file, or whose file cannot be read, is bad by its name in `row_names`.
    """

    def picture(row: int) -> ImagePixels:
        file = files[row]
        if file is None:
            raise ValueError("there is no such file")
        return decode_image(file, (size, size), 3, box)

    return lambda start, stop: read_one_by_one(
        start, stop, (size, size, 3), picture, lambda row: str(files[row] or row_names[row])
    )


def images_without_row(names: Mapping[str, str], files: Sequence[str]) -> list[str]:
    """Image files that no row of the table names."""
    stems = {stem(file) for file in files}
    return [name for name_stem, name in names.items() if name_stem not in stems]
