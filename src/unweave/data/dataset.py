"""The contract of data sets.

A data set gives uint8 images at row numbers, and, where factors are known, their class indices.
Training asks for images only; factors are read by evaluation, and by nothing else but `aside`, which takes one out of
the images.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from unweave import registry
from unweave.data.settings import DatasetSettings, Reading
from unweave.types import Boxes, FactorTable, Pixels, Rows

ReadablePixels = UInt8[np.ndarray, "readable height width channel"]
ReadableRows = Int[np.ndarray, "readable"]


class Card(NamedTuple):
    """Where a data set comes from."""

    title: str
    source: str
    licence: str
    citation: str = ""
    notes: str = ""  # known label defects and other traps

    def of_first_rows(self, count: int, total: int) -> "Card":
        """The card of the first `count` of the set's `total` images: where they are fewer, the notes begin with it."""
        return self if count == total else self._replace(notes=f"The first {count:,} of {total:,}. {self.notes}")


class Dataset(ABC):
    name: str
    shape: tuple[int, int, int]  # channels, height, width
    factor_names: tuple[str, ...]  # () where no factors are known
    factor_sizes: tuple[int, ...]  # classes of each factor; () where no factors are known
    card: Card
    files: tuple[str, ...] = ()  # the file of each row, where rows are files
    left_out: tuple[str, ...] = ()  # files that could not be read, each with the reason
    boxes: Boxes | None = None  # where rows are tiles of their files
    splits: Mapping[str, Rows] = {}  # the publishers' own splits, by name
    reading: Reading | None = None  # how numbers became pixels, where pictures may have any depth
    blocks: tuple[int, ...] = ()  # rows of each part that is read quickly by itself, as a shard; () where all are alike
    colours: tuple[str, ...] | None = None  # in which channels are shown; None: `figures.pixels` chooses

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def images(self, rows: Rows) -> Pixels:
        """Images at these rows, in their order; repeats are allowed. Raises IndexError out of range."""

    def readable_images(self, rows: Rows) -> tuple[ReadablePixels, ReadableRows, dict[int, str]]:
        """The images of those rows that can be read, those rows, and why the others cannot: all of them can, where
        pictures that cannot are left out when a set is opened."""
        return self.images(rows), rows, {}

    @abstractmethod
    def factors(self, rows: Rows) -> FactorTable | None:
        """Class indices of the factors at these rows, or None where none are known."""

    @abstractmethod
    def digest(self) -> str:
        """A short hexadecimal name of the content, the same for the same images and factors."""

    def _repr_html_(self) -> str:
        from unweave.data.describe import dataset_html

        return dataset_html(self)


def no_files(settings: Any) -> Any:
    """Of a set that is not made from files."""
    raise LookupError(f"{settings.name} is not made from files.")


@dataclass(frozen=True)
class DatasetDefinition:
    """All that the rest needs to know of a data set or a format; its file has one, DATASET.

    A set on disk says in `files` what it is made of and in `source` how they are read (see data/reading/image_source);
    the cache converts them once, in child processes alone where a C library could take this process down.
    """

    settings: type[DatasetSettings]
    build: Callable[[Any], Dataset]  # of its settings; a view is applied by `open_data`
    card: Card | None = None
    downloads: tuple[Any, ...] = ()  # of data/download/published_files.RemoteFile
    files: Callable[[Any], list[Path]] = no_files
    source: Callable[[Any], Any] = no_files
    child_process_only: bool = False
    version: int = 1  # counts up when the same files give other pictures


def find_dataset(name: str) -> DatasetDefinition:
    """The definition of a data set or a format. Raises LookupError with the nearest name."""
    definition = vars(registry.module("data", name)).get("DATASET")
    if not isinstance(definition, DatasetDefinition):
        raise LookupError(f"the module of {name!r} has no DATASET = DatasetDefinition(...): see data/dataset.py.")
    return definition
