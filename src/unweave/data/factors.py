"""Rows of a complete grid of factors: the only place that knows their order."""

from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Int

from unweave.types import FactorTable, Rows


@dataclass(frozen=True)
class FactorGrid:
    """Every combination of the factors' classes, row-major: the last factor changes fastest.

    Raises ValueError where names and sizes differ in number, a name repeats or a size is not positive.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]  # classes of each factor

    def __post_init__(self) -> None:
        if len(self.names) != len(self.sizes) or not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"expected one size for each of one or more names, got {self.names} and {self.sizes}.")
        if min(self.sizes) < 1:
            raise ValueError(f"every factor needs one class or more, got sizes {self.sizes} of {self.names}.")

    def __len__(self) -> int:
        return prod(self.sizes)

    def index(self, factors: FactorTable) -> Rows:
        """Row numbers of these classes. Raises ValueError on a wrong number of columns, IndexError out of range."""
        if factors.shape[1] != len(self.sizes):
            raise ValueError(f"expected {len(self.sizes)} columns ({', '.join(self.names)}), got {factors.shape[1]}.")
        for name, size, column in zip(self.names, self.sizes, factors.T):
            check_range(column, size, name)
        return np.ravel_multi_index(tuple(factors.T), self.sizes).astype(np.int64)

    def factors(self, rows: Rows) -> FactorTable:
        """Classes at these row numbers. Raises IndexError out of range."""
        check_range(rows, len(self), "row")
        return np.stack(np.unravel_index(rows, self.sizes), axis=1).astype(np.int64, copy=False)

    def sample(self, count: int, rng: np.random.Generator) -> FactorTable:
        """Classes drawn independently and uniformly, with replacement."""
        return rng.integers(0, self.sizes, size=(count, len(self.sizes)), dtype=np.int64)


def check_range(numbers: Int[np.ndarray, "count"], size: int, name: str) -> None:
    """Raises IndexError unless every number is in 0 .. size - 1, TypeError for what is no array of integers."""
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in "iu":
        raise TypeError(f"{name} numbers must be an array of integers, as np.array([0, 1]), got {str(numbers)[:60]}.")
    bad = (numbers < 0) | (numbers >= size)
    if bad.any():
        raise IndexError(f"{name} must be in 0..{size - 1}, got {numbers[bad][0]}.")
