"""The contract of data sets.

A data set gives uint8 images at row numbers, and, where factors are known, their class indices.
Training asks for images only; factors are read by evaluation and by nothing else.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from unweave.types import FactorTable, Pixels, Rows


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
    splits: Mapping[str, Rows] = {}  # the publishers' own splits, by name

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def images(self, rows: Rows) -> Pixels:
        """Images at these rows, in their order; repeats are allowed. Raises IndexError out of range."""

    @abstractmethod
    def factors(self, rows: Rows) -> FactorTable | None:
        """Class indices of the factors at these rows, or None where none are known."""

    @abstractmethod
    def digest(self) -> str:
        """A short hexadecimal name of the content, the same for the same images and factors."""
