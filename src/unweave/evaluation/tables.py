"""Code and factor tables from .npy, .npz and .csv files, so that any model's codes can be scored."""

import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from unweave import types
from unweave.data.reading.csv_tables import is_number, read_cells
from unweave.evaluation.metrics.checks import check_tables
from unweave.runs import reduction
from unweave.types import FactorTable, UnitTable, WideTable


class CodeTables(NamedTuple):
    """Codes and factors of the same rows, ready for the metrics."""

    units: UnitTable
    factors: FactorTable
    unreduced: WideTable  # every number of every unit
    explained: list[float] | None  # of vector units: the share of each one's variance that `units` keeps
    factor_names: list[str] | None  # the header of a .csv


def read_tables(codes_path: Path, factors_path: Path) -> CodeTables:
    """Codes and factors of the same rows, ready for the metrics.

    Codes are [rows, units], or [rows, unit, dim], of which each unit's first principal component is taken. Factors are
    [rows, factors] of whole numbers; the values of each column are numbered 0 .. size - 1 in rising order. An .npz file
    needs the key `codes` or `units` (`factors`), or no other array in it. A .csv has a row for each image, columns
    separated by commas, and may have a header; its factors may be words, numbered in alphabetical order. Names of the
    factors come from that header, or from the key `factor_names` of an .npz.

    Raises ValueError for a missing or unreadable file, another shape, numbers that are not finite or, in the factors,
    not whole, and tables of different lengths.
    """
    codes = _check_codes(_read_array(codes_path, ("codes", "units"), None)[0], codes_path)
    labels, names = _read_array(factors_path, ("factors",), len(codes))
    factors = _class_numbers(labels, factors_path)
    fitted = reduction.fit(codes) if codes.ndim == 3 else None
    units = codes if fitted is None else reduction.apply(fitted, codes)
    check_tables(units, factors)
    explained = None if fitted is None else fitted.explained.tolist()
    return CodeTables(units, factors, codes.reshape(len(codes), -1), explained, names)


def _read_array(path: Path, keys: tuple[str, ...], rows: int | None) -> tuple[np.ndarray, list[str] | None]:
    """The table in a file, and the names of its columns where it has any; `rows` of factors, None of codes."""
    if path.suffix.lower() == ".csv":
        return _read_csv(path, rows)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        with loaded:
            stored_keys = list(loaded)
            candidates = [key for key in keys if key in stored_keys] or stored_keys
            if len(candidates) == 1 or candidates[0] in keys:
                table = loaded[candidates[0]]
                names = loaded["factor_names"].tolist() if "factor_names" in stored_keys else []
                return table, list(map(str, names)) if table.ndim == 2 and len(names) == table.shape[1] else None
    except FileNotFoundError:
        raise ValueError(f"there is no file {str(path)!r}.") from None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} cannot be read as .npy or .npz: {error} Write it with numpy.save.") from None
    expected = " or ".join(map(repr, keys))
    raise ValueError(
        f"{path} has the arrays {', '.join(stored_keys) or '(none)'}; expected {expected}, or one array alone."
    )


def _read_csv(path: Path, rows: int | None) -> tuple[np.ndarray, list[str] | None]:
    """The numbers of a .csv and its header; words, which factors (`rows` of them) may have, by their number.

    The first line is a header if it has a word over a column of numbers, counts the columns of codes from 0, as pandas
    writes them, or is one line more than there are rows.
    """
    try:
        lines = [[cell.strip() for cell in line] for line in read_cells(path)]
    except FileNotFoundError:
        raise ValueError(f"there is no file {str(path)!r}.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as .csv: {error}.") from None
    widths = {len(line) for line in lines}
    if len(widths) != 1:
        raise ValueError(f"{path}: every line needs the same number of columns, got {sorted(widths)}.")
    first, rest = lines[0], lines[1:]
    over_numbers = any(
        not is_number(name) and all(map(is_number, cells)) for name, cells in zip(first, zip(*rest)) if cells
    )
    counted = rows is None and len(first) > 1 and first == [str(i) for i in range(len(first))]
    header = first if rest and (over_numbers or counted or len(lines) - 1 == rows) else None
    if header is not None:
        lines = rest
        if "" in header:
            raise ValueError(
                f"{path}: column {header.index('') + 1} has no name, as an index that pandas writes; "
                "leave it out, with to_csv(..., index=False)."
            )
    for number, line in enumerate(lines):
        if missing := [cell for cell in line if cell.lower() in _MISSING]:
            raise ValueError(
                f"{path}: data row {number + 1}, column {line.index(missing[0]) + 1} is missing ({missing[0]!r}); "
                "leave such rows out of codes and factors."
            )
    columns = list(zip(*lines))
    if all(is_number(cell) for column in columns for cell in column):
        return np.array(lines, np.float64), header
    if rows is None:
        raise ValueError(f"{path}: codes must be numbers; there are words in it.")
    return np.array([_number_words(column) for column in columns]).T, header


_MISSING = ("", "na", "n/a", "nan", "null", "none", "?")


def _number_words(column: tuple[str, ...]) -> list[float]:
    """A column of numbers as they are, one with words by the alphabetical order of its different cells."""
    if all(map(is_number, column)):
        return [float(cell) for cell in column]
    order = {cell: number for number, cell in enumerate(sorted(set(column)))}
    return [float(order[cell]) for cell in column]


def _check_codes(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: codes must be numbers of shape [rows, units] or [rows, unit, dim], got {_shape_label(array)}."
        )
    if not array.size:
        raise ValueError(f"{path}: nothing to measure: codes have shape {list(array.shape)}.")
    codes = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    types.check_finite(codes, f"codes in {path}")
    return codes


def _class_numbers(array: np.ndarray, path: Path) -> FactorTable:
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        remedy = " Use labels[:, None] for one factor." if array.ndim == 1 else ""
        remedy += " Number text labels with numpy.unique(..., return_inverse=True)." if array.dtype.kind in "US" else ""
        raise ValueError(
            f"{path}: factors must be whole numbers of shape [rows, factors], got {_shape_label(array)}.{remedy}"
        )
    types.check_finite(array, f"factors in {path}")
    not_whole = np.flatnonzero((array != np.round(array)).any(0)).tolist() if array.dtype.kind == "f" else []
    if not_whole:
        raise ValueError(
            f"{path}: factor columns {not_whole} are not whole numbers. The metrics need classes: "
            "bin a continuous factor first, for example with numpy.digitize into 10 quantiles, or leave it out."
        )
    columns: list[Int[np.ndarray, "rows"]] = [np.unique(column, return_inverse=True)[1] for column in array.T]
    return np.stack(columns, axis=1).astype(np.int64) if columns else array.astype(np.int64)


def _shape_label(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"
