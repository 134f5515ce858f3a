"""Some rows of a data set as a data set: splits, chosen classes, combinations left out, correlated factors."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int

from unweave.config import SettingsError, nearest
from unweave.data.dataset import Dataset, ReadablePixels, ReadableRows
from unweave.data.factors import FactorGrid, check_range
from unweave.data.sampling import (
    classes_by_column,
    factor_columns,
    has_classes,
    joint_probability,
    read_factors,
    row_chunks,
)
from unweave.data.settings import Correlation, ViewSettings
from unweave.foreign import errors_as
from unweave.types import FactorTable, Pixels, Rows

SPLITS = ("all", "train", "valid", "test")

BaseRows = Int[np.ndarray, "chosen"]
"""Row numbers of the data set that a view shows a part of."""


class View(Dataset):
    """These rows of another data set, in this order and with their repeats. Splits of the other are not passed on."""

    def __init__(self, dataset: Dataset, rows: BaseRows, name: str) -> None:
        check_range(rows, len(dataset), "row")
        self.base, self.rows, self.name = dataset, rows, name
        self.shape, self.card = dataset.shape, dataset.card
        self.factor_names, self.factor_sizes = dataset.factor_names, dataset.factor_sizes
        self.files = tuple(dataset.files[row] for row in rows) if dataset.files else ()
        self.boxes = None if dataset.boxes is None else dataset.boxes[rows]
        self.reading, self.colours = dataset.reading, dataset.colours

    def __len__(self) -> int:
        return len(self.rows)

    def _base_rows(self, rows: Rows) -> Rows:
        check_range(rows, len(self), "row")
        return self.rows[rows]

    def images(self, rows: Rows) -> Pixels:
        return self.base.images(self._base_rows(rows))

    def readable_images(self, rows: Rows) -> tuple[ReadablePixels, ReadableRows, dict[int, str]]:
        theirs = self._base_rows(rows)
        pixels, readable, bad = self.base.readable_images(theirs)
        reasons = {int(row): bad[int(there)] for row, there in zip(rows, theirs, strict=True) if int(there) in bad}
        return pixels, rows[np.isin(theirs, readable)], reasons

    def factors(self, rows: Rows) -> FactorTable | None:
        return self.base.factors(self._base_rows(rows))

    def digest(self) -> str:
        """Of the other set's digest and the row numbers: two views of the same rows have the same."""
        content = hashlib.sha256(self.base.digest().encode())
        content.update(np.ascontiguousarray(self.rows, "<i8").data)
        return content.hexdigest()[:16]


def base_dataset(dataset: Dataset) -> Dataset:
    """The full data set of a view, or of a view of a view; any other data set is its own."""
    return base_dataset(dataset.base) if isinstance(dataset, View) else dataset


def base_rows(dataset: Dataset, rows: Rows) -> Rows:
    """The row numbers of the full set for these of a view."""
    return base_rows(dataset.base, dataset.rows[rows]) if isinstance(dataset, View) else rows


def held_out(dataset: Dataset) -> Dataset | None:
    """The rows that a view leaves out, as a data set; None where it leaves none out, and of what is no view."""
    full = base_dataset(dataset)
    rows = np.setdiff1d(np.arange(len(full)), base_rows(dataset, np.arange(len(dataset))))
    return View(full, rows, f"{full.name} (held out)") if len(rows) else None


def split_rows(dataset: Dataset, name: str, seed: int = 0) -> Rows:
    """The rows of a split, rising: the publishers' own where the set has splits, else a random 80, 10 and 10 %.

    Random splits depend on (len(dataset), seed) alone; train, valid and test are disjoint, and together all rows.
    Valid and test hold a tenth each, rounded down. Raises SettingsError for a split that there is not.
    """
    if name not in SPLITS:
        raise SettingsError(f"there is no split {name!r}.{nearest(name, SPLITS)} There is: {', '.join(SPLITS)}.")
    if name == "all":
        return np.arange(len(dataset))
    if dataset.splits:
        if name not in dataset.splits:
            has = ", ".join(dataset.splits)
            raise SettingsError(f"{dataset.name} is published without a split {name!r}. It has: {has}, and all.")
        return np.sort(dataset.splits[name])
    tenth = len(dataset) // 10
    order = np.random.default_rng([seed, len(dataset)]).permutation(len(dataset))
    parts = dict(zip(("test", "valid", "train"), np.split(order, [tenth, 2 * tenth])))
    return np.sort(parts[name])


def select_split(dataset: Dataset, name: str, seed: int = 0) -> Dataset:
    """A split as a data set (see `split_rows`); "all" is the set itself. Raises SettingsError where it is empty."""
    rows = split_rows(dataset, name, seed)
    if not len(rows):
        raise SettingsError(f"the split {name!r} of {dataset.name} is empty: it has {len(dataset)} images.")
    return dataset if name == "all" else View(dataset, rows, f"{dataset.name} ({name})")


def select_unseen(dataset: Dataset, settings: ViewSettings) -> Dataset:
    """The rows that a view leaves out, as a data set. Raises SettingsError where it leaves none out."""
    view = apply_view(dataset, settings)
    rows = np.setdiff1d(np.arange(len(dataset)), base_rows(view, np.arange(len(view))))
    if not len(rows):
        raise SettingsError(f"the run was trained on every row of {dataset.name}: none is unseen.")
    return View(dataset, rows, f"{dataset.name} (unseen)")


def apply_view(dataset: Dataset, settings: ViewSettings) -> Dataset:
    """The rows of the data set that the settings choose; the set itself where they choose nothing.

    Raises SettingsError for an unknown split, factor or class, and where no row is left.
    """
    if settings == ViewSettings(split_seed=settings.split_seed):
        return dataset
    rows = split_rows(dataset, settings.split, settings.split_seed)
    if settings.keep:
        rows = rows[_rows_with(dataset, rows, settings.keep, "keep")]
    if settings.leave_out:
        rows = rows[~_rows_with(dataset, rows, settings.leave_out, "leave_out")]
    if settings.correlate is not None and len(rows):
        rows = _draw_correlated(dataset, rows, settings.correlate)
    if not len(rows):
        chosen = ", ".join(f"{key}={value}" for key, value in settings.model_dump(exclude_defaults=True).items())
        raise SettingsError(f"data.view leaves none of the {len(dataset):,} rows of {dataset.name}: {chosen}.")
    return View(dataset, rows, f"{dataset.name} ({_view_label(settings)})")


def _view_label(settings: ViewSettings) -> str:
    """What the settings choose, in a few words."""
    parts: list[str] = [settings.split] if settings.split != "all" else []
    for key, classes_of in (("keep", settings.keep), ("leave out", settings.leave_out)):
        factors = [f"{name} {','.join(map(str, classes))}" for name, classes in classes_of.items()]
        parts += [f"{key} {' and '.join(factors)}"] if factors else []
    if settings.correlate is not None:
        parts.append(f"{' with '.join(settings.correlate.factors)}, sigma {settings.correlate.sigma:g}")
    return "; ".join(parts)


def _grid(dataset: Dataset, key: str) -> FactorGrid:
    """The factors that a setting may name; the set need not have all of their combinations."""
    if not dataset.factor_names:
        raise SettingsError(f"data.view.{key}: {dataset.name} has no known factors.")
    return FactorGrid(dataset.factor_names, dataset.factor_sizes)


def _rows_with(
    dataset: Dataset, rows: Rows, classes_of: Mapping[str, Sequence[int]], key: str
) -> Bool[np.ndarray, "rows"]:
    """Which of the rows have one of the listed classes in every listed factor."""
    grid = _grid(dataset, key)
    with errors_as(ValueError, lambda error: SettingsError(f"data.view.{key}: {error}")):
        columns = classes_by_column(grid, classes_of)
    parts = [has_classes(read_factors(dataset, part), columns) for part in row_chunks(rows)]
    return np.concatenate(parts)


def _draw_correlated(dataset: Dataset, rows: Rows, settings: Correlation) -> BaseRows:
    """Rows drawn from these with repeats, rising: first the classes of both factors, then a row that has them.

    Classes are drawn among those that some row has; on a complete grid they follow `joint_probability` exactly.
    """
    grid = _grid(dataset, "correlate")
    with errors_as(ValueError, lambda error: SettingsError(f"data.view.correlate: {error}")):
        first, second = factor_columns(grid, settings.factors)
        joint = joint_probability((grid.sizes[first], grid.sizes[second]), settings.sigma)
    parts = [read_factors(dataset, part)[:, [first, second]] for part in row_chunks(rows)]
    cells = np.ravel_multi_index(tuple(np.concatenate(parts).T), joint.shape)
    counts = np.bincount(cells, minlength=joint.size)
    weights = np.where(counts > 0, joint.ravel(), 0)
    if not weights.sum() > 0:
        raise SettingsError(f"data.view.correlate: no row has classes that sigma={settings.sigma:g} allows: raise it.")
    rng = np.random.default_rng(settings.seed)
    drawn_cells = rng.choice(joint.size, size=settings.images or len(rows), p=weights / weights.sum())
    by_cell, starts = np.argsort(cells, kind="stable"), np.cumsum(counts) - counts
    return np.sort(rows[by_cell[starts[drawn_cells] + rng.integers(0, counts[drawn_cells])]])
