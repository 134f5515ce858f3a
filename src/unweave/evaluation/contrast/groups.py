"""Two groups of images to compare: two folders, or rows by a column of a table; and the replicate of each row."""

import logging
import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from unweave.config import nearest
from unweave.data.dataset import Dataset
from unweave.data.reading.labels import match_rows
from unweave.data.reading.table_columns import NAMES_FILES, why_no_values
from unweave.data.reading.text_tables import read_text_table
from unweave.data.sampling import sample_rows
from unweave.evaluation.metrics.two_groups import Replicates
from unweave.runs.data import dataset_for
from unweave.runs.run import Run
from unweave.types import Rows

ROWS = 5_000  # of each group, that are encoded at most
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip

logger = logging.getLogger("unweave")


class Group(NamedTuple):
    """Rows of a data set."""

    name: str
    dataset: Dataset
    rows: Rows


def two_sets(run: Run, a: str, b: str, seed: int = 0) -> tuple[Group, Group]:
    """Two folders, files or data sets, read as the run's own images were."""
    sets = [dataset_for(run, place) for place in (a, b)]
    names = [Path(place).name or place for place in (a, b)]
    if names[0] == names[1]:
        names = [a, b]
    first, second = (Group(name, dataset, sample_rows(len(dataset), ROWS, seed)) for name, dataset in zip(names, sets))
    return first, second


def by_column(run: Run, column: str, a: str, b: str, seed: int = 0) -> tuple[Group, Group]:
    """Rows of the run's own images whose cell in FILE:COLUMN is a, and those where it is b.

    Each is a value, or a comparison with a number, such as <12. Raises ValueError where a group has no row, or both
    have the same, and LookupError for a column that there is not.
    """
    dataset = dataset_for(run, None)
    cells = read_column(column, dataset)
    name = column.rpartition(":")[2]
    chosen = [np.array([_fits(cell, wanted) for cell in cells]) for wanted in (a, b)]
    for wanted, rows in zip((a, b), chosen):
        if not rows.any():
            raise ValueError(f"no image has {name} {wanted}; there is: {', '.join(sorted(set(cells))[:12])}.")
    if (chosen[0] & chosen[1]).any():
        raise ValueError(f"{int((chosen[0] & chosen[1]).sum())} images are in both groups, {a} and {b}.")
    numbers = [np.flatnonzero(rows) for rows in chosen]
    first, second = (
        Group(f"{name} {wanted}", dataset, rows[sample_rows(len(rows), ROWS, seed)])
        for wanted, rows in zip((a, b), numbers)
    )
    return first, second


def read_column(column: str, dataset: Dataset) -> list[str]:
    """The cell of FILE:COLUMN of every image, found by the name of its file. Raises ValueError, LookupError."""
    path, colon, name = column.rpartition(":")
    if not colon:
        raise ValueError(f"a column is named as FILE.csv:COLUMN, got {column!r}.")
    if not dataset.files:
        raise ValueError(f"images of {dataset.name} are no files, which a table could name.")
    table = read_text_table(Path(path).expanduser(), header=True)
    columns = {each.name: each for each in table.columns}
    if name not in columns:
        raise LookupError(f"{path} has no column {name!r}.{nearest(name, columns)} It has: {', '.join(columns)}.")
    named = next((each for each in table.columns if why_no_values(each, False, classes=True) == NAMES_FILES), None)
    files = picture_files(dataset)
    unique = sorted(set(files))
    lines = match_rows((named or table.columns[0]).cells, unique, path)
    cell_of = {file: columns[name].cells[line] for file, line in zip(unique, lines)}
    return [cell_of[file] for file in files]


def picture_files(dataset: Dataset) -> list[str]:
    """The file of every row, the same for all its tiles and pages."""
    pages = dataset.reading is not None and dataset.reading.pages == "images"
    return [file.rpartition("#")[0] if pages else file for file in dataset.files]


def replicates_of(groups: Sequence[Group], replicate: str | None) -> Replicates | None:
    """The replicate of each row of both groups, one after the other; None where every row stands for itself.

    `replicate` is FILE:COLUMN, or `folders` for the folder that a file lies in; tiles and pages of one picture are of
    one replicate in any case. Without it a warning says so where files lie in several folders.
    """
    names: list[str] = []
    for number, group in enumerate(groups):
        files = picture_files(group.dataset)
        folders = [PurePosixPath(file).parent.as_posix() for file in files]
        if replicate not in (None, "folders"):
            cells = read_column(replicate, group.dataset)
        elif replicate == "folders":
            if set(folders) == {"."}:
                raise ValueError(f"--replicate folders: images of {group.name} lie in no folders of their own.")
            cells = folders
        else:
            one_of_many = group.dataset.boxes is not None or len(set(files)) < len(files)
            cells = [f"{number}/{file}" for file in files] if one_of_many else []
            if len(set(folders)) > 1:
                logger.warning(
                    "images of %s lie in %d folders: if each is a plate, an animal or a day, give --replicate folders",
                    *(group.name, len(set(folders))),
                )
        if not cells:
            return None
        names += [cells[row] for row in group.rows]
    return np.unique(names, return_inverse=True)[1]


def _fits(cell: str, wanted: str) -> bool:
    """Whether a cell is a value, or compares so with a number."""
    match = re.fullmatch(r"(<=|>=|<|>)\s*(-?[\d.]+(?:e-?\d+)?)", wanted.strip())
    if match is None:
        return cell == wanted or (_number(cell) is not None and _number(cell) == _number(wanted))
    number = _number(cell)
    return number is not None and COMPARISONS[match[1]](number, float(match[2]))


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
