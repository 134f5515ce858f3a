"""Factors of every row, from arrays, tables and folder names. They are never needed for training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from unweave.config import SettingsError, nearest
from unweave.data.reading.image_source import Labels
from unweave.data.reading.table_columns import Column, alike_but_for_case, numbers_or_words, why_no_values
from unweave.data.reading.text_tables import TextTable, read_text_table
from unweave.foreign import errors_as

logger = logging.getLogger(__name__)

MAX_NAME = 200  # characters of the name of a factor


def from_array(factors: np.ndarray, names: np.ndarray | None, count: int, source: str) -> Labels:
    """Labels from [rows, factors] integers of any values. Raises ValueError that names `source`, and the remedy."""
    if factors.dtype.kind not in "iub":
        raise ValueError(
            f"factors in {source} must be integers (a class per row and factor), got {factors.dtype}; "
            "cut continuous values into classes first, for example with np.digitize."
        )
    if factors.ndim != 2 or factors.shape[1] == 0:
        raise ValueError(
            f"factors in {source} must be [N, F], got shape {list(factors.shape)}; one factor is factors[:, None]."
        )
    if len(factors) != count:
        raise ValueError(
            f"factors in {source} must have one row per image: got {len(factors)} rows for {count} images."
        )
    factor_names = np.array([f"factor_{i}" for i in range(factors.shape[1])]) if names is None else names
    if factor_names.dtype.kind not in "US" or factor_names.shape != factors.shape[1:]:
        shape = list(factor_names.shape)
        raise ValueError(
            f"factor_names in {source} must be {factors.shape[1]} strings, got {factor_names.dtype} {shape}."
        )
    if repeated := _first_repeated(factor_names.astype(str).tolist()):
        raise ValueError(f"factor_names in {source} must differ, got {repeated!r} twice.")
    return from_columns(dict(zip(factor_names.astype(str).tolist(), factors.T)), source)


def from_columns(columns: Mapping[str, Sequence | np.ndarray], source: str) -> Labels:
    """Labels from columns of integers or words; the values of each are numbered in rising order.

    Numbers written as words ("10") are numbers where all of a column are whole. Raises ValueError for other numbers.
    """
    numbered = {}
    for name, column in columns.items():
        if len(name) > MAX_NAME:
            raise ValueError(
                f"a factor of {source} has a name of {len(name):,} characters ({name[:40]!r} ...): give it one of at "
                f"most {MAX_NAME}."
            )
        values = np.asarray(column)
        if values.dtype.kind in "US":
            values = numbers_or_words(values.astype(str).tolist())
        broken = values[values != np.round(values)] if values.dtype.kind == "f" else values[:0]
        if len(broken):
            raise ValueError(
                f"the column {name!r} of {source} has numbers that are not whole ({broken[0]}), "
                "and factors are classes: cut it into classes, or name the columns to use with data.factors=[...]."
            )
        numbered[name] = np.unique(values, return_inverse=True)
    return Labels(
        names=tuple(numbered),
        sizes=tuple(len(values) for values, _ in numbered.values()),
        classes=np.stack([classes.reshape(-1) for _, classes in numbered.values()], axis=1).astype(np.int64),
    )


def _first_repeated(names: Sequence[str]) -> str | None:
    """The first name that is there twice."""
    return next((name for i, name in enumerate(names) if name in names[:i]), None)


def from_folders(files: Sequence[str], source: str) -> Labels:
    """Labels from the folders in relative paths: `folder`, or `folder_1`, `folder_2`, ... where they are nested.

    Raises ValueError where images lie at different depths, or directly in the folder.
    """
    parts = [Path(file).parts[:-1] for file in files]
    depths = {len(part) for part in parts}
    if depths == {0} or len(depths) > 1:
        raise ValueError(
            f"data.labels=folders needs every image of {source} in a folder, all at one depth; "
            f"they lie {' and '.join(map(str, sorted(depths)))} folders deep."
        )
    depth = depths.pop()
    names = ["folder"] if depth == 1 else [f"folder_{level + 1}" for level in range(depth)]
    for level, name in enumerate(names):
        _warn_of_case([part[level] for part in parts], f"{source}, {name}")
    return from_columns({name: np.array([part[level] for part in parts]) for level, name in enumerate(names)}, source)


def _warn_of_case(words: Sequence[str], where: str) -> None:
    if alike := alike_but_for_case(words):
        logger.warning("%s: %s are classes of their own; write them alike if they are one", where, " and ".join(alike))


def from_csv(path: Path, files: Sequence[str], factors: Sequence[str] | None) -> Labels:
    """Labels from a text table with a header (see `text_tables`), of which one column names the image files.

    That is the first one, or the one after an index; it has relative paths or unique names, and either path may leave
    out first folders that the other has. `factors` are the columns to use; None takes all others, but for those that
    only say which row it is (an index, further names of files), which a warning names. Rows of files that are not there
    are passed over. Raises ValueError where an image has no row or two rows, two images have one row, or a cell is
    missing, and SettingsError for a column that is not there.
    """
    factors = (factors,) if isinstance(factors, str) else factors
    with errors_as((OSError, ValueError), lambda error: ValueError(f"data.labels: {error}")):
        table = read_text_table(path, header=True)
    if len(table.columns) < 2:
        raise ValueError(
            f"data.labels: {path} needs two or more columns under a header, file and factors; it has {table.dialect()}."
        )
    names_of_files = {file.rsplit("/", 1)[-1] for file in files} | set(files)
    position = _file_column(table, names_of_files)
    key, others = table.columns[position], [c for j, c in enumerate(table.columns) if j != position]
    if key.name in names_of_files:
        raise ValueError(f"data.labels: {path} needs a header: its first line is the row of {key.name!r} already.")
    names = [column.name for column in others]
    if repeated := _first_repeated([name for name in names if name]):
        raise ValueError(f"data.labels: {path} has two columns {repeated!r}.")
    for name in factors or ():
        if name not in names or not name:
            hint, column_names = nearest(name, names), ", ".join(filter(None, names))
            raise SettingsError(f"data.factors: {path} has no column {name!r}.{hint} It has: {column_names}.")
    taken = [others[names.index(name)] for name in factors] if factors else _factor_columns(table, position)
    rows = match_rows(key.cells, files, f"data.labels: {path}")
    numbered = {}
    for column in taken:
        cells = [column.cells[row] for row in rows]
        if (missing := Column(column.name, tuple(cells)).first_missing()) is not None:
            said = f" (it is {cells[missing]!r})" if cells[missing] else ""
            raise ValueError(
                f"data.labels: {path} has no {column.name!r} for {files[missing]!r}{said}: fill every cell, "
                "or name the columns to use with data.factors=[...]."
            )
        numbered[column.name] = np.array(cells)
        _warn_of_case(cells, f"{path}, column {column.name!r}")
    labels = from_columns(numbered, str(path))
    classes = ", ".join(f"{name} ({size} classes)" for name, size in zip(labels.names, labels.sizes))
    logger.info("labels from %s: %s; %s names the file; factors: %s", path, table.dialect(), repr(key.name), classes)
    return labels


def _file_column(table: TextTable, names_of_files: set[str]) -> int:
    """The column that names most of the files: of the first two, the second only if the first names none."""
    hits = [
        sum(cell.replace("\\", "/").rsplit("/", 1)[-1] in names_of_files for cell in column.cells)
        for column in table.columns[:2]
    ]
    return int(hits[0] == 0 and hits[1] > 0 and len(table.columns) > 2)


def _factor_columns(table: TextTable, position: int) -> list[Column]:
    """All columns but that of the files, and those that only say which row it is: a warning says why."""
    taken = []
    for j, column in enumerate(table.columns):
        reason = why_no_values(column, nameless=j == 0 and not column.name, classes=True)
        if j == position:
            continue
        if reason is not None:
            logger.warning(
                "%s: column %d%s is left out, as %s%s", table.path, j + 1, f" ({column.name})" if column.name else "",
                reason, f"; data.factors=[{column.name}] takes it" if column.name else "",
            )  # fmt: skip
        elif not column.name:
            raise ValueError(f"data.labels: {table.path}: column {j + 1} has no name: give it one.")
        else:
            taken.append(column)
    if not taken:
        raise ValueError(f"data.labels: {table.path} has no factor besides its index and names of files.")
    return taken


def match_rows(names: Sequence[str], files: Sequence[str], where: str) -> list[int]:
    """The row of each file: the one that names it with the most of its folders. Raises ValueError, which begins with
    `where`, for a file with no row or several, and for a row that fits several files."""
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        path = PurePosixPath(name.replace("\\", "/")).as_posix()
        if path in rows:
            raise ValueError(f"{where} has two rows for {name!r}.")
        rows[path] = row
    longer: dict[str, list[str]] = {}  # the end of a path -> paths that have more folders
    for path in rows:
        parts = PurePosixPath(path).parts
        for i in range(1, len(parts)):
            longer.setdefault("/".join(parts[i:]), []).append(path)
    matched: list[int] = []
    file_of_row: dict[str, str] = {}  # name in the table -> the file that has its row
    unmatched: list[str] = []
    for file in files:
        parts = PurePosixPath(file).parts
        fitting = [tail for i in range(len(parts)) if (tail := "/".join(parts[i:])) in rows] or longer.get(file, [])
        if not fitting:
            unmatched.append(file)
            continue
        name = fitting[0]
        if len(fitting) > 1 and fitting is longer.get(file):
            raise ValueError(f"{where} has two rows for {file!r}: {fitting[0]!r} and {fitting[1]!r}.")
        if name in file_of_row:
            raise ValueError(
                f"{where}: the row for {name!r} fits both {file_of_row[name]} and {file}: "
                "write the folders too where a file name is there twice."
            )
        file_of_row[name] = file
        matched.append(rows[name])
    if unmatched:
        raise ValueError(
            f"{where} has {len(names):,} rows, and {len(unmatched):,} of {len(files):,} images have none: "
            f"{', '.join(unmatched[:3])}{' ...' if len(unmatched) > 3 else ''}. "
            "Its first column must name each image by its path in the folder, or by its file name."
        )
    return matched
