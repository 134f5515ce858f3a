"""Code and factor tables from .npy, .npz and text files, so that any model's codes can be scored."""

import pickle
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unweave.data.reading import table_columns
from unweave.data.reading.text_tables import TextTable, is_text_table, read_text_table
from unweave.evaluation.metrics.checks import as_codes, as_factors, check_tables
from unweave.runs import reduction
from unweave.runs.sharded_codes import is_codes, read_codes, sample_positions, whole_codes
from unweave.types import FactorTable, UnitTable, WideTable

SAMPLED = 50_000
"""Codes that are taken of a folder of sharded ones."""
UNIT_COLUMN = re.compile(r"unit_\d+(_\d+)?")
"""What `unweave encode` calls the numbers of a code: of a table with such columns only they are codes."""
NO_UNIT = "it is no column of a unit as unit_0 is"


class CodeTables(NamedTuple):
    """Codes and factors of the same rows, ready for the metrics."""

    units: UnitTable
    factors: FactorTable
    unreduced: WideTable  # every number of every unit
    explained: list[float] | None  # of vector units: the share of each one's variance that `units` keeps
    factor_names: list[str] | None  # the header of a text file
    read: tuple[str, ...] = ()  # what was taken of each text file, and which columns were left out, in words


class _FileTable(NamedTuple):
    """What a file has."""

    values: np.ndarray
    names: list[str] | None
    read: str | None = None
    files: tuple[str, ...] | None = None  # the column that names files


def read_tables(codes_path: Path, factors_path: Path) -> CodeTables:
    """Codes and factors of the same rows, ready for the metrics.

    Codes are [rows, units], or [rows, unit, dim], of which each unit's first principal component is taken. Factors are
    [rows, factors] of whole numbers; the values of each column are numbered 0 .. size - 1 in rising order. An .npz file
    needs the key `codes` or `units` (`factors`), or no other array in it. A text file (.csv, .tsv, .txt; see
    `data.reading.text_tables`) has a row for each image and may have a header; its factors may be words, numbered in
    alphabetical order. Columns of it that only say which row it is (an index, names of files) are left out, and `read`
    says so (see `data.reading.table_columns.why_no_values`); of a table as `unweave encode` writes it, the columns of
    units alone are codes. Names of the factors come from that header, or from the
    key `factor_names` of an .npz.

    Of a folder of sharded codes 50,000 random ones are taken; its factors are the folder's own.

    Raises ValueError for a missing or unreadable file, another shape, numbers that are not finite or, in the factors,
    not whole, cells that are missing, tables of different lengths, and two columns of file names that differ.
    """
    if is_codes(codes_path):
        return _sampled(codes_path, factors_path)
    codes_file = _read_file(codes_path, ("codes", "units"), None)
    codes = as_codes(codes_file.values, f"{codes_path}: codes", vectors=True)
    factors_file = _read_file(factors_path, ("factors",), len(codes))
    factors = as_factors(factors_file.values, f"{factors_path}: factors")
    if codes_file.files and factors_file.files and codes_file.files != factors_file.files:
        pairs = list(zip(codes_file.files, factors_file.files))
        row = next((row for row, (one, other) in enumerate(pairs) if one != other), None)
        if row is not None:
            raise ValueError(
                f"data row {row + 1} is {pairs[row][0]!r} in {codes_path} and {pairs[row][1]!r} in {factors_path}: "
                "row i of both must be the same image."
            )
    fitted = reduction.fit(codes) if codes.ndim == 3 else None
    units = codes if fitted is None else reduction.apply(fitted, codes)
    check_tables(units, factors)
    explained = None if fitted is None else fitted.explained.tolist()
    read = tuple(file.read for file in (codes_file, factors_file) if file.read is not None)
    return CodeTables(units, factors, codes.reshape(len(codes), -1), explained, factors_file.names, read)


def _sampled(folder: Path, factors_path: Path) -> CodeTables:
    about = whole_codes(folder)
    if factors_path.resolve() != folder.resolve() or not about.factor_names:
        names = ", ".join(about.factor_names) or "none, so there is nothing to score with"
        raise ValueError(f"the factors of sharded codes are those of their folder, --factors {folder}: it has {names}.")
    codes, _, factors = read_codes(folder, sample_positions(about, SAMPLED, 0))
    assert factors is not None
    fitted = reduction.fit(codes)
    units = reduction.apply(fitted, codes)
    check_tables(units, factors)
    explained = fitted.explained.tolist() if codes.shape[2] > 1 else None
    said = f"{folder}: {len(codes):,} of {sum(about.counts):,} codes, at random."
    return CodeTables(units, factors, codes.reshape(len(codes), -1), explained, list(about.factor_names), (said,))


def _read_file(path: Path, keys: tuple[str, ...], rows: int | None) -> _FileTable:
    """The table in a file, and the names of its columns where it has any; `rows` of factors, None of codes."""
    if is_text_table(path):
        return _read_text(path, rows)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _FileTable(loaded, None)
        with loaded:
            stored_keys = list(loaded)
            candidates = [key for key in keys if key in stored_keys] or stored_keys
            if len(candidates) == 1 or candidates[0] in keys:
                table = loaded[candidates[0]]
                names = loaded["factor_names"].tolist() if "factor_names" in stored_keys else []
                named = table.ndim == 2 and len(names) == table.shape[1]
                return _FileTable(table, list(map(str, names)) if named else None)
    except FileNotFoundError:
        raise ValueError(f"there is no file {str(path)!r}.") from None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} cannot be read as .npy or .npz: {error} Write it with numpy.save, or as text with the ending .csv."
        ) from None
    expected = " or ".join(map(repr, keys))
    raise ValueError(
        f"{path} has the arrays {', '.join(stored_keys) or '(none)'}; expected {expected}, or one array alone."
    )


def _read_text(path: Path, rows: int | None) -> _FileTable:
    """The columns of a text file that have values: numbers of codes, the classes of `rows` factors."""
    table = _text_table(path, rows)
    left_out: dict[int, str] = {}
    own = rows is None and any(UNIT_COLUMN.fullmatch(column.name) for column in table.columns)
    for position, column in enumerate(table.columns):
        nameless = position == 0 and table.has_header and not column.name
        reason = table_columns.why_no_values(column, nameless, classes=rows is not None)
        if reason is None and own and not UNIT_COLUMN.fullmatch(column.name):
            reason = NO_UNIT
        if reason is not None:
            left_out[position] = reason
    taken = {position: column for position, column in enumerate(table.columns) if position not in left_out}
    if not taken:
        raise ValueError(f"{path}: no column is left to score: {_said(table, left_out)}.")
    for position, column in taken.items():
        missing = column.first_missing()
        if missing is not None:
            raise ValueError(
                f"{path}: data row {missing + 1}, column {position + 1} is missing ({column.cells[missing]!r}); "
                "leave such rows out of codes and factors."
            )
        if not column.name and table.has_header:
            raise ValueError(f"{path}: column {position + 1} has no name: give it one, or leave it out.")
    names = [column.name for column in taken.values()]
    if table.has_header and len(set(names)) < len(names):
        repeated = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"{path} has two columns {repeated!r}: give each its own name.")
    files = next(
        (table.columns[j].cells for j, reason in left_out.items() if reason == table_columns.NAMES_FILES), None
    )
    if rows is None:
        values = np.stack(
            [table_columns.to_numbers(column, f"{path}: codes must be numbers; it") for column in taken.values()],
            axis=1,
        )
        sizes = ""
    else:
        classes = [
            table_columns.class_numbers(column.cells, position, f"{path}: factors")
            for position, column in taken.items()
        ]
        values = np.stack(classes, axis=1)
        sizes = ": " + ", ".join(
            f"{column.name or f'factor {i}'} ({len(np.unique(numbers))} classes)"
            for i, (column, numbers) in enumerate(zip(taken.values(), classes))
        )
    read = f"{path}: {table.dialect()}; {len(taken)} {'units' if rows is None else 'factors'}{sizes}"
    for column in taken.values() if rows is not None else ():
        if alike := table_columns.alike_but_for_case(column.cells):
            read += f". {' and '.join(alike)} are classes of their own: write them alike if they are one"
    if left_out:
        read += f". Left out: {_said(table, left_out)}"
    return _FileTable(values, names if table.has_header else None, f"{read}.", files)


def _text_table(path: Path, rows: int | None) -> TextTable:
    try:
        table = read_text_table(path, rows=rows)
        counted = [column.cells[0] if column.cells else "" for column in table.columns]
        if (
            rows is None
            and not table.has_header
            and len(counted) > 1
            and counted == list(map(str, range(len(counted))))
        ):
            table = read_text_table(path, header=True)  # the columns of codes counted from 0, as pandas writes them
    except FileNotFoundError:
        raise ValueError(f"there is no file {str(path)!r}.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read as .csv: {error}.") from None
    if not table.rows:
        raise ValueError(f"{path}: nothing to measure: it has a header and no rows.")
    return table


def _said(table: TextTable, left_out: dict[int, str]) -> str:
    """As in "column 1 (file), as it names files"."""
    return "; ".join(
        f"column {position + 1}{f' ({name})' if (name := table.columns[position].name) else ''}, as {reason}"
        for position, reason in left_out.items()
    )
