"""Two groups of images to compare: two folders, or rows by a column of a table; and the replicate of each row."""

import logging
import math
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

    Each is a value, or a comparison with a number, such as <12. Raises ValueError where a group has no row, both have
    the same, or what is compared with is no number, and LookupError for a column that there is not.
    """
    dataset = run.dataset()
    cells = read_column(column, _files(dataset))
    name = column.rpartition(":")[2]
    chosen = [np.array(_fitting(cells, wanted)) for wanted in (a, b)]
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


def read_column(column: str, files: Sequence[str]) -> list[str]:
    """The cell of FILE:COLUMN of every file, found by its name. Raises ValueError, LookupError."""
    path, colon, name = column.rpartition(":")
    if not colon:
        raise ValueError(f"a column is named as FILE.csv:COLUMN, got {column!r}.")
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"there is no file {path!r}; {column!r} is a table and its column, as plates.csv:plate.")
    table = read_text_table(file, header=True)
    columns = {each.name: each for each in table.columns}
    if name not in columns:
        raise LookupError(f"{path} has no column {name!r}.{nearest(name, columns)} It has: {', '.join(columns)}.")
    named = next((each for each in table.columns if why_no_values(each, False, classes=True) == NAMES_FILES), None)
    unique = sorted(set(files))
    lines = match_rows((named or table.columns[0]).cells, unique, path)
    cell_of = {file: columns[name].cells[line] for file, line in zip(unique, lines)}
    return [cell_of[file] for file in files]


def picture_files(dataset: Dataset) -> list[str]:
    """The file of every row, the same for all its tiles and pages; empty where images are no files."""
    pages = dataset.reading is not None and dataset.reading.pages == "images"
    return [file.rpartition("#")[0] or file if pages else file for file in dataset.files]


def replicates_of(groups: tuple[Group, Group], replicate: str | None) -> Replicates | None:
    """The replicate of each row of both groups, one after the other; None where every row stands for itself.

    `replicate` is FILE:COLUMN, or `folders` for the folder that a file lies in: folders of two sets are different ones,
    whatever their names. Tiles and pages of one picture are of one replicate in any case. Without `replicate` a warning
    says so where files lie in several folders. Raises ValueError for images that lie in no folders, or are no files.
    """
    if replicate is None:
        named = _pictures(groups)
    elif replicate == "folders":
        named = [_folders(group) for group in groups]
    else:
        named = _cells(groups, replicate)
    if named is None:
        return None
    two_sets_of_folders = replicate == "folders" and groups[0].dataset is not groups[1].dataset
    if replicate is None or two_sets_of_folders:
        named = [[f"{number}/{name}" for name in names] for number, names in enumerate(named)]
    names = [of_group[row] for group, of_group in zip(groups, named) for row in group.rows]
    return np.unique(names, return_inverse=True)[1]


def _pictures(groups: Sequence[Group]) -> list[list[str]] | None:
    """The picture of every row of both sets; None where neither has several rows of one."""
    files = [picture_files(group.dataset) for group in groups]
    for group, of_group in zip(groups, files):
        if len(folders := {PurePosixPath(file).parent for file in of_group}) > 1:
            logger.warning(
                "images of %s lie in %d folders: if each is a plate, an animal or a day, give --replicate folders",
                *(group.name, len(folders)),
            )
    one_of_many = [
        group.dataset.boxes is not None or len(set(of_group)) < len(of_group) for group, of_group in zip(groups, files)
    ]
    if not any(one_of_many):
        return None
    return [of_group or [str(row) for row in range(len(group.dataset))] for group, of_group in zip(groups, files)]


def _folders(group: Group) -> list[str]:
    folders = [PurePosixPath(file).parent.as_posix() for file in picture_files(group.dataset)]
    if set(folders) <= {"."}:
        raise ValueError(f"--replicate folders: images of {group.name} lie in no folders of their own.")
    return folders


def _cells(groups: Sequence[Group], column: str) -> list[list[str]]:
    """The cell of every row of both sets. No row of the table is of files of both: where a name is in both sets, the
    table tells them apart by the names of the sets, as in control/1.png."""
    a, b = (_files(group.dataset) for group in groups)
    if groups[0].dataset is groups[1].dataset:
        return [read_column(column, a)] * 2
    if {PurePosixPath(file).name for file in a} & {PurePosixPath(file).name for file in b}:
        a, b = ([f"{group.name}/{file}" for file in files] for group, files in zip(groups, (a, b)))
    cells = read_column(column, [*a, *b])
    return [cells[: len(a)], cells[len(a) :]]


def _files(dataset: Dataset) -> list[str]:
    if not dataset.files:
        raise ValueError(f"images of {dataset.name} are no files, which a table could name.")
    return picture_files(dataset)


def _fitting(cells: Sequence[str], wanted: str) -> list[bool]:
    """Which cells are a value, or compare so with a number. Raises ValueError for a comparison with no number."""
    match = re.fullmatch(r"(<=|>=|<|>)\s*(.+)", wanted.strip())
    limit = _number(match[2] if match else wanted)
    if match is None or (limit is None and wanted in cells):
        return [cell == wanted or (limit is not None and _number(cell) == limit) for cell in cells]
    if limit is None:
        raise ValueError(f"{wanted!r} compares with no number: write it as '<12', '>=0.5' or '<1e3'.")
    numbers = [_number(cell) for cell in cells]
    return [number is not None and COMPARISONS[match[1]](number, limit) for number in numbers]


def _number(text: str) -> float | None:
    """The finite number that a text is."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
