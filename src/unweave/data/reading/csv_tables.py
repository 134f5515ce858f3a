"""Tables in .csv files: their cells, and which of these are numbers."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
NUMBER = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def read_cells(path: Path) -> list[list[str]]:
    """The lines of a file in UTF-8 with commas between cells; empty lines are left out, and blanks after a comma.

    Raises OSError where there is no such file, ValueError for one that is no text or no table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [line for line in csv.reader(file, skipinitialspace=True) if line]
    except csv.Error as error:
        raise ValueError(str(error)) from error


def is_number(cell: str) -> bool:
    """Whether a cell is a decimal number, NaN or infinity; "1_0" and digits of other scripts are words."""
    return NUMBER.fullmatch(cell.strip()) is not None


def is_integer(cell: str) -> bool:
    """Whether a cell is a whole number that is written without a point or an exponent."""
    return INTEGER.fullmatch(cell.strip()) is not None


def to_numbers(lines: Sequence[Sequence[str]]) -> Float[np.ndarray, "rows columns"]:
    """Cells as numbers. Raises ValueError for a cell that is none, and for lines of several lengths."""
    for number, line in enumerate(lines):
        if len(line) != len(lines[0]):
            raise ValueError(f"data row {number + 1} has {len(line)} columns and the first {len(lines[0])}")
        if words := [cell for cell in line if not is_number(cell)]:
            raise ValueError(f"data row {number + 1} has {words[0]!r}, which is no number")
    columns = len(lines[0]) if lines else 0
    return np.array([[float(cell) for cell in line] for line in lines], np.float64).reshape(len(lines), columns)
