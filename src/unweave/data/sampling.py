"""Rows drawn by their factors: one factor fixed, pairs, sub-grids, correlated factors, combinations held out.

Everything is index arithmetic over a grid of factors; no image is read. Randomness comes from the generator given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from unweave.config import nearest
from unweave.data.dataset import Dataset
from unweave.data.factors import FactorGrid
from unweave.types import FactorTable, Rows

CHUNK = 1 << 16  # rows whose factors are read at a time
LARGEST = 1 << 24  # combinations of a grid that needs a table of rows: 128 MB
ROUNDS = 1_000  # draws of combinations that the set may lack

Pairs = Int[np.ndarray, "pairs 2"]
"""Rows of the first and the second image of each pair."""


@dataclass(frozen=True)
class Gridded:
    """A grid of factors, and the row of a data set that has each combination."""

    grid: FactorGrid
    places: Rows | None = None  # by grid index; -1: the set lacks it. None: rows are in grid order

    def rows(self, index: Rows) -> Rows:
        """The rows of these grid indices; -1 where the set lacks the combination."""
        return index if self.places is None else self.places[index]

    def missing(self) -> int:
        """Combinations that the set lacks."""
        return 0 if self.places is None else int((self.places < 0).sum())


def grid_of(dataset: Dataset) -> Gridded:
    """The grid of a data set that has every combination of its factors' classes once, in whatever order.

    Raises ValueError where factors are unknown, or combinations are missing or repeated.
    """
    gridded = partial_grid_of(dataset)
    if missing := gridded.missing():
        raise ValueError(
            f"{dataset.name} is no complete grid of its factors: {missing:,} of {len(gridded.grid):,} combinations are "
            "missing. Use partial_grid_of where that does not matter, or a sub-grid that is complete."
        )
    return gridded


def partial_grid_of(dataset: Dataset) -> Gridded:
    """The grid of a data set that has every combination once or not at all.

    What is drawn from it is drawn among the combinations that are there. Raises ValueError where factors are unknown,
    combinations are repeated, or the grid is too large for a table of its rows.
    """
    if not dataset.factor_names:
        raise ValueError(f"{dataset.name} has no known factors, so it is no grid.")
    grid, count = FactorGrid(dataset.factor_names, dataset.factor_sizes), len(dataset)
    if count == len(grid) and all(
        np.array_equal(grid.index(factors_at(dataset, rows)), rows) for rows in chunks(np.arange(count))
    ):
        return Gridded(grid)
    if len(grid) > LARGEST:
        raise ValueError(f"{dataset.name} has {len(grid):,} combinations of factors, more than {LARGEST:,}.")
    places = np.full(len(grid), -1, np.int64)
    for rows in chunks(np.arange(count)):
        places[grid.index(factors_at(dataset, rows))] = rows
    repeated = count - int((places >= 0).sum())
    if repeated:
        raise ValueError(
            f"{dataset.name} is no grid: {repeated:,} of its {count:,} rows repeat the factors of another row."
        )
    return Gridded(grid, places)


def fixed(gridded: Gridded, factor: str, count: int, rng: np.random.Generator, at: int | None = None) -> Rows:
    """Rows, with repeats, that share one class of one factor (`at`, or drawn uniformly); the others are uniform.

    As the metric of FactorVAE draws its batches (Kim & Mnih, 2018, arXiv:1802.05983). Raises ValueError for an unknown
    factor or class.
    """
    grid = gridded.grid
    column = column_of(grid, factor)
    shared = int(rng.integers(grid.sizes[column])) if at is None else at
    columns_of(grid, {factor: [shared]})

    def draw(count: int) -> list[FactorTable]:
        factors = grid.sample(count, rng)
        factors[:, column] = shared
        return [factors]

    return _drawn(gridded, count, draw)[:, 0]


def pairs(gridded: Gridded, count: int, differing: int | Sequence[str], rng: np.random.Generator) -> Pairs:
    """Pairs of rows that differ in exactly k random factors (other ones for each pair), or exactly in those named.

    Pairs for weak supervision, after Locatello et al., 2020 (arXiv:2002.02886). Their code (`simple_dynamics` in
    train_weak_lib.py of disentanglement_lib) redraws one factor or k factors, with equal chance, and may redraw the
    class that was there, so its pairs differ in k factors at most; these differ in exactly k, each by a class drawn
    uniformly among the others. Raises ValueError where k or a name does not fit the grid.
    """
    grid = gridded.grid
    sizes = np.array(grid.sizes)
    varying = np.flatnonzero(sizes > 1)
    if isinstance(differing, int):
        if not 1 <= differing <= len(varying):
            raise ValueError(f"pairs may differ in 1..{len(varying)} factors of this grid, got {differing}.")
        chosen, number = varying, differing
    else:
        chosen = np.array([column_of(grid, name) for name in differing], np.int64)
        number = len(chosen)
        if not number or len(set(differing)) < number or not np.isin(chosen, varying).all():
            raise ValueError(f"pairs differ in one or more factors of two classes or more, got {list(differing)}.")

    def draw(count: int) -> list[FactorTable]:
        first = grid.sample(count, rng)
        which = chosen[rng.random((count, len(chosen))).argsort(axis=1)[:, :number]]
        differs = np.zeros(first.shape, bool)
        np.put_along_axis(differs, which, True, axis=1)
        step = rng.integers(1, np.maximum(sizes, 2), size=first.shape)
        return [first, np.where(differs, (first + step) % sizes, first)]

    return _drawn(gridded, count, draw)


def subgrid(gridded: Gridded, keep: Mapping[str, Sequence[int]]) -> Rows:
    """The rows where every named factor has one of its listed classes, in grid order; the other factors are free.

    Raises ValueError for an unknown factor or class.
    """
    rows = gridded.rows(_inside(gridded.grid, keep))
    return rows[rows >= 0]


class Parts(NamedTuple):
    """The rows of a set in two parts, each in grid order."""

    without: Rows
    held_out: Rows


def held_out(gridded: Gridded, combinations: Mapping[str, Sequence[int]]) -> Parts:
    """The rows without and with the combinations where every listed factor has a listed class at once.

    `{"shape": [2], "x": [6, 7]}` holds out shape 2 at the two last places, and keeps shape 2 elsewhere. Raises
    ValueError for an unknown factor or class, and where nothing is listed.
    """
    if not combinations:
        raise ValueError("name one factor or more, with the classes whose combination is held out.")
    inside = np.zeros(len(gridded.grid), bool)
    inside[_inside(gridded.grid, combinations)] = True
    parts = [gridded.rows(np.flatnonzero(part)) for part in (~inside, inside)]
    return Parts(*(rows[rows >= 0] for rows in parts))


def correlated(gridded: Gridded, count: int, factors: tuple[str, str], sigma: float, rng: np.random.Generator) -> Rows:
    """Rows, with repeats, whose two named factors rise together as `correlation` says; the others are uniform.

    Raises ValueError for unknown factors and for a sigma that is not positive.
    """
    grid = gridded.grid
    columns = pair_of(grid, factors)
    joint = correlation((grid.sizes[columns[0]], grid.sizes[columns[1]]), sigma)

    def draw(count: int) -> list[FactorTable]:
        classes = grid.sample(count, rng)
        cells = rng.choice(joint.size, size=count, p=joint.ravel())
        classes[:, columns] = np.stack(np.unravel_index(cells, joint.shape), axis=1)
        return [classes]

    return _drawn(gridded, count, draw)[:, 0]


def correlation(sizes: tuple[int, int], sigma: float) -> Float[np.ndarray, "first second"]:
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


def column_of(grid: FactorGrid, factor: str) -> int:
    """The column of a factor. Raises ValueError with the nearest name."""
    if factor not in grid.names:
        raise ValueError(
            f"there is no factor {factor!r}.{nearest(factor, grid.names)} There is: {', '.join(grid.names)}."
        )
    return grid.names.index(factor)


def columns_of(grid: FactorGrid, chosen: Mapping[str, Sequence[int]]) -> dict[int, Int[np.ndarray, "_"]]:
    """The classes that are listed for each column, sorted. Raises ValueError for an unknown factor or class."""
    columns = {}
    for name, classes in chosen.items():
        column = column_of(grid, name)
        bad = [number for number in classes if not 0 <= number < grid.sizes[column]]
        if bad:
            raise ValueError(f"classes of {name} are 0..{grid.sizes[column] - 1}, got {bad[0]}.")
        columns[column] = np.unique(np.array(classes, np.int64))
    return columns


def pair_of(grid: FactorGrid, factors: tuple[str, str]) -> list[int]:
    """The columns of two different factors."""
    columns = [column_of(grid, name) for name in factors]
    if columns[0] == columns[1]:
        raise ValueError(f"expected two different factors, got {factors[0]!r} twice.")
    return columns


def matching(factors: FactorTable, columns: Mapping[int, Int[np.ndarray, "_"]]) -> Bool[np.ndarray, "rows"]:
    """Which rows have one of the listed classes in every listed column."""
    return np.logical_and.reduce([np.isin(factors[:, j], classes) for j, classes in columns.items()], axis=0)


def chunks(rows: Rows) -> list[Int[np.ndarray, "_"]]:
    """The rows in parts, so that not all factors of a set are in memory at once."""
    return np.split(rows, range(CHUNK, len(rows), CHUNK))


def factors_at(dataset: Dataset, rows: Rows) -> FactorTable:
    """The factors at these rows. Raises ValueError where none are known."""
    factors = dataset.factors(rows)
    if factors is None:
        raise ValueError(f"{dataset.name} has no known factors.")
    return factors


def _inside(grid: FactorGrid, chosen: Mapping[str, Sequence[int]]) -> Rows:
    """Grid indices of the sub-grid with these classes."""
    columns = columns_of(grid, chosen)
    axes = [columns.get(j, np.arange(size)) for j, size in enumerate(grid.sizes)]
    return np.ravel_multi_index(np.ix_(*axes), grid.sizes).astype(np.int64).ravel()


def _drawn(gridded: Gridded, count: int, draw: Callable[[int], list[FactorTable]]) -> Int[np.ndarray, "count sides"]:
    """The rows of `count` draws of one combination or a pair; draws that the set lacks are drawn again."""

    def rows(count: int) -> Int[np.ndarray, "count sides"]:
        return np.stack([gridded.rows(gridded.grid.index(factors)) for factors in draw(count)], axis=1)

    result = rows(count)
    for _ in range(ROUNDS):
        lacking = np.flatnonzero((result < 0).any(axis=1))
        if not len(lacking):
            return result
        result[lacking] = rows(len(lacking))
    raise ValueError(
        f"the set lacks {gridded.missing():,} of {len(gridded.grid):,} combinations, and none that was asked for was "
        f"found in {ROUNDS:,} draws."
    )


def rows_for(n_total: int, count: int, seed: int) -> Rows:
    """The rows that (n_total, count, seed) name: random, all different, rising; every row where count >= n_total."""
    if count >= n_total:
        return np.arange(n_total)
    return np.sort(np.random.default_rng(seed).choice(n_total, size=count, replace=False))
