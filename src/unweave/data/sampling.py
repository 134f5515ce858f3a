"""Rows drawn at random, or by their factors: pairs that differ in some factors, factors that rise together.

Everything is index arithmetic over a grid of factors; no image is read. Randomness comes from the generator given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from unweave.config import nearest
from unweave.data.dataset import Dataset
from unweave.data.factors import FactorGrid
from unweave.types import FactorTable, Rows

CHUNK_ROWS = 1 << 16  # whose factors are read at a time
MAX_COMBINATIONS = 1 << 24  # of a grid that needs a table of rows: 128 MB
MAX_ROUNDS = 1_000  # draws of combinations that the set may lack

RowPairs = Int[np.ndarray, "pairs 2"]
"""Rows of the first and the second image of each pair."""


@dataclass(frozen=True)
class DatasetGrid:
    """A grid of factors, and the row of a data set that has each combination."""

    grid: FactorGrid
    row_of: Rows | None = None  # by grid index; -1: the set lacks it. None: rows are in grid order

    def rows(self, index: Rows) -> Rows:
        """The rows of these grid indices; -1 where the set lacks the combination."""
        return index if self.row_of is None else self.row_of[index]

    def missing(self) -> int:
        """Combinations that the set lacks."""
        return 0 if self.row_of is None else int((self.row_of < 0).sum())


def complete_grid(dataset: Dataset) -> DatasetGrid:
    """The grid of a data set that has every combination of its factors' classes once, in whatever order.

    Raises ValueError where factors are unknown, or combinations are missing or repeated.
    """
    result = partial_grid(dataset)
    if missing := result.missing():
        raise ValueError(
            f"{dataset.name} is no complete grid of its factors: {missing:,} of {len(result.grid):,} combinations are "
            "missing. Use partial_grid where that does not matter, or a sub-grid that is complete."
        )
    return result


def partial_grid(dataset: Dataset) -> DatasetGrid:
    """The grid of a data set that has every combination once or not at all.

    What is drawn from it is drawn among the combinations that are there. Raises ValueError where factors are unknown,
    combinations are repeated, or the grid is too large for a table of its rows.
    """
    if not dataset.factor_names:
        raise ValueError(f"{dataset.name} has no known factors, so it is no grid.")
    grid, count = FactorGrid(dataset.factor_names, dataset.factor_sizes), len(dataset)
    if count == len(grid) and all(
        np.array_equal(grid.index(read_factors(dataset, rows)), rows) for rows in row_chunks(np.arange(count))
    ):
        return DatasetGrid(grid)
    if len(grid) > MAX_COMBINATIONS:
        raise ValueError(f"{dataset.name} has {len(grid):,} combinations of factors, more than {MAX_COMBINATIONS:,}.")
    row_of = np.full(len(grid), -1, np.int64)
    for rows in row_chunks(np.arange(count)):
        row_of[grid.index(read_factors(dataset, rows))] = rows
    repeated = count - int((row_of >= 0).sum())
    if repeated:
        raise ValueError(
            f"{dataset.name} is no grid: {repeated:,} of its {count:,} rows repeat the factors of another row, "
            "as rows do where data.aside takes a factor away."
        )
    return DatasetGrid(grid, row_of)


def sample_pairs(
    dataset_grid: DatasetGrid, count: int, differing: int | Sequence[str], rng: np.random.Generator
) -> RowPairs:
    """Pairs of rows that differ in exactly k random factors (other ones for each pair), or exactly in those named.

    Pairs for weak supervision, after Locatello et al., 2020 (arXiv:2002.02886). Their code (`simple_dynamics` in
    train_weak_lib.py of disentanglement_lib) redraws one factor or k factors, with equal chance, and may redraw the
    class that was there, so its pairs differ in k factors at most; these differ in exactly k, each by a class drawn
    uniformly among the others. Raises ValueError where k or a name does not fit the grid.
    """
    grid = dataset_grid.grid
    sizes = np.array(grid.sizes)
    varying = np.flatnonzero(sizes > 1)
    if isinstance(differing, int):
        if not 1 <= differing <= len(varying):
            raise ValueError(f"pairs may differ in 1..{len(varying)} factors of this grid, got {differing}.")
        columns, number = varying, differing
    else:
        columns = np.array([factor_column(grid, name) for name in differing], np.int64)
        number = len(columns)
        if not number or len(set(differing)) < number or not np.isin(columns, varying).all():
            raise ValueError(f"pairs differ in one or more factors of two classes or more, got {list(differing)}.")

    def draw(count: int) -> list[FactorTable]:
        first = grid.sample(count, rng)
        changed = columns[rng.random((count, len(columns))).argsort(axis=1)[:, :number]]
        differs = np.zeros(first.shape, bool)
        np.put_along_axis(differs, changed, True, axis=1)
        step = rng.integers(1, np.maximum(sizes, 2), size=first.shape)
        return [first, np.where(differs, (first + step) % sizes, first)]

    return _draw_rows(dataset_grid, count, draw)


def joint_probability(sizes: tuple[int, int], sigma: float) -> Float[np.ndarray, "first second"]:
    """The joint probability of two factors' classes, proportional to exp(-(a/(A-1) - b/(B-1))² / (2 sigma²)).

    After Träuble et al., 2021, "On disentangled representations learned from correlated data" (arXiv:2006.07886); from
    memory, as is their range of sigma from 0.2 (strong) over 0.4 and 0.7 to infinity (none). Classes are scaled to
    0 .. 1 here, so that sigma means the same for factors of any size. Raises ValueError where sigma is not positive or
    a factor has one class.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0 (0.2 is strong, 1 is weak), got {sigma}.")
    if min(sizes) < 2:
        raise ValueError(f"factors need two classes or more to be correlated, got sizes {sizes}.")
    first, second = (np.linspace(0, 1, size) for size in sizes)
    with np.errstate(over="ignore"):
        joint = np.exp(-np.square((first[:, None] - second) / sigma) / 2)
    return joint / joint.sum()


def factor_column(grid: FactorGrid, factor: str) -> int:
    """The column of a factor. Raises ValueError with the nearest name."""
    if factor not in grid.names:
        raise ValueError(
            f"there is no factor {factor!r}.{nearest(factor, grid.names)} There is: {', '.join(grid.names)}."
        )
    return grid.names.index(factor)


def factor_columns(grid: FactorGrid, factors: tuple[str, str]) -> list[int]:
    """The columns of two different factors."""
    columns = [factor_column(grid, name) for name in factors]
    if columns[0] == columns[1]:
        raise ValueError(f"expected two different factors, got {factors[0]!r} twice.")
    return columns


def classes_by_column(grid: FactorGrid, classes_of: Mapping[str, Sequence[int]]) -> dict[int, Int[np.ndarray, "_"]]:
    """The classes that are listed for each factor, sorted, by its column.

    Raises ValueError for an unknown factor or class.
    """
    columns = {}
    for name, classes in classes_of.items():
        column = factor_column(grid, name)
        bad = [number for number in classes if not 0 <= number < grid.sizes[column]]
        if bad:
            raise ValueError(f"classes of {name} are 0..{grid.sizes[column] - 1}, got {bad[0]}.")
        columns[column] = np.unique(np.array(classes, np.int64))
    return columns


def has_classes(factors: FactorTable, columns: Mapping[int, Int[np.ndarray, "_"]]) -> Bool[np.ndarray, "rows"]:
    """Which rows have one of the listed classes in every listed column."""
    return np.logical_and.reduce([np.isin(factors[:, j], classes) for j, classes in columns.items()], axis=0)


def row_chunks(rows: Rows) -> list[Int[np.ndarray, "_"]]:
    """The rows in parts, so that not all factors of a set are in memory at once."""
    return np.split(rows, range(CHUNK_ROWS, len(rows), CHUNK_ROWS))


def read_factors(dataset: Dataset, rows: Rows) -> FactorTable:
    """The factors at these rows. Raises ValueError where none are known."""
    factors = dataset.factors(rows)
    if factors is None:
        raise ValueError(f"{dataset.name} has no known factors.")
    return factors


def sample_rows(total: int, count: int, seed: int) -> Rows:
    """`count` rows of `total`: random, all different, rising; every row where count >= total.

    They follow from the three numbers, which name them in files of results.
    """
    if count >= total:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, size=count, replace=False))


def _draw_rows(
    dataset_grid: DatasetGrid, count: int, draw: Callable[[int], list[FactorTable]]
) -> Int[np.ndarray, "count sides"]:
    """The rows of `count` draws of one combination or a pair; draws that the set lacks are drawn again."""

    def rows(count: int) -> Int[np.ndarray, "count sides"]:
        return np.stack([dataset_grid.rows(dataset_grid.grid.index(factors)) for factors in draw(count)], axis=1)

    result = rows(count)
    for _ in range(MAX_ROUNDS):
        lacking = np.flatnonzero((result < 0).any(axis=1))
        if not len(lacking):
            return result
        result[lacking] = rows(len(lacking))
    raise ValueError(
        f"the set lacks {dataset_grid.missing():,} of {len(dataset_grid.grid):,} combinations, and none that was asked "
        f"for was found in {MAX_ROUNDS:,} draws."
    )
