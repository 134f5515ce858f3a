"""Factors of every row, from arrays, tables and folder names. They are never needed for training."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from unweave.config import SettingsError, nearest
from unweave.data.reading.csv_tables import is_integer, is_number, read_cells
from unweave.data.reading.image_source import Labels


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
        values = np.asarray(column)
        if values.dtype.kind in "US":
            values = _as_numbers(values)
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


EXACT = 2.0**53  # below it, different whole numbers are different floats


def _as_numbers(words: np.ndarray) -> np.ndarray:
    """The numbers that the words are, where all of them are numbers; else the words. Integers may be of any size."""
    texts = words.astype(str).tolist()
    if all(map(is_integer, texts)):
        return np.array([int(text) for text in texts], object)
    if not all(map(is_number, texts)):
        return words
    numbers = np.array([float(text) for text in texts])
    return numbers if (np.abs(numbers[np.isfinite(numbers)]) < EXACT).all() else words


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
    return from_columns({name: np.array([part[level] for part in parts]) for level, name in enumerate(names)}, source)


def from_csv(path: Path, files: Sequence[str], factors: Sequence[str] | None) -> Labels:
    """Labels from a CSV with a header; its first column names the image files, by relative path or by unique name.

    A path may leave out its first folders. `factors` are the columns to use; None takes all others. Rows of files that
    are not there are passed over. Raises ValueError where an image has no row or two rows, two images have one row, or
    a cell is empty, and SettingsError for a column that is not there.
    """
    try:
        header, *lines = read_cells(path) or [[]]
    except (OSError, ValueError) as error:
        raise ValueError(
            f"data.labels: {path} cannot be read as .csv with a header, in UTF-8 and with commas: {error}"
        ) from error
    odd_line = next((number for number, line in enumerate(lines, 2) if len(line) != len(header)), 1)
    if len(header) < 2 or odd_line > 1:
        raise ValueError(
            f"data.labels: every line of {path} needs the same two or more columns, separated by commas: file, then "
            f"factors. Line {odd_line} (empty ones not counted) has {len((header, *lines)[odd_line - 1])}."
        )
    if header[0] in {file.rsplit("/", 1)[-1] for file in files} | set(files):
        raise ValueError(f"data.labels: {path} needs a header: its first line is the row of {header[0]!r} already.")
    if repeated := _first_repeated(header[1:]):
        raise ValueError(f"data.labels: {path} has two columns {repeated!r}.")
    for name in factors or ():
        if name not in header[1:]:
            hint, column_names = nearest(name, header[1:]), ", ".join(header[1:])
            raise SettingsError(f"data.factors: {path} has no column {name!r}.{hint} It has: {column_names}.")
    rows = _match_rows(path, lines, files)
    columns = {}
    for name in factors or header[1:]:
        columns[name] = [line[header.index(name, 1)] for line in rows]
        if "" in columns[name]:
            raise ValueError(
                f"data.labels: {path} has no {name!r} for {files[columns[name].index('')]!r}: fill every cell, "
                "or name the columns to use with data.factors=[...]."
            )
    return from_columns({name: np.array(column) for name, column in columns.items()}, str(path))


def _match_rows(path: Path, lines: Sequence[list[str]], files: Sequence[str]) -> list[list[str]]:
    """The line of each file: the one that names it with the most of its folders."""
    rows: dict[str, list[str]] = {}
    for line in lines:
        name = PurePosixPath(line[0].replace("\\", "/")).as_posix()
        if name in rows:
            raise ValueError(f"data.labels: {path} has two rows for {line[0]!r}.")
        rows[name] = line
    matched: list[list[str]] = []
    file_of_row: dict[str, str] = {}  # name in the CSV -> the file that has its row
    unmatched: list[str] = []
    for file in files:
        parts = PurePosixPath(file).parts
        names = [tail for i in range(len(parts)) if (tail := "/".join(parts[i:])) in rows]
        if not names:
            unmatched.append(file)
            continue
        if names[0] in file_of_row:
            raise ValueError(
                f"data.labels: the row of {path} for {names[0]!r} fits both {file_of_row[names[0]]} and {file}: "
                "write the folders too where a file name is there twice."
            )
        file_of_row[names[0]] = file
        matched.append(rows[names[0]])
    if unmatched:
        raise ValueError(
            f"data.labels: {path} has {len(lines):,} rows, and {len(unmatched):,} of {len(files):,} images have none: "
            f"{', '.join(unmatched[:3])}{' ...' if len(unmatched) > 3 else ''}. "
            "Its first column must name each image by its path in the folder, or by its file name."
        )
    return matched
