"""Columns of text: which cells are numbers, which are missing, and which columns only say which row it is."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
NUMBER = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
FILE_NAME = re.compile(r".*\S\.[a-z][a-z0-9]{1,4}|(.*[/\\])+[^/\\]+", re.IGNORECASE)
INDEX_NAME = re.compile(
    r"(unnamed.*|index|idx|(.*[ _])?ids?|image_?id|rows?|row_?(nr|number|names?)|nr|no|number|#|uuid|guid|key"
    r"|files?|file_?names?|paths?|file_?paths?|image_?(names?|files?|paths?))",
    re.IGNORECASE,
)
MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "?"))
"""Cells that say nothing, in small letters: they are no class and no number."""

NAMES_FILES = "it names files"

EXACT = 2.0**53  # below it, different whole numbers are different floats


class Column(NamedTuple):
    """Cells without blanks around them, under a name, "" for none."""

    name: str
    cells: tuple[str, ...]

    def first_missing(self) -> int | None:
        """The row of the first cell that is missing."""
        return next((row for row, cell in enumerate(self.cells) if is_missing(cell)), None)


def is_missing(cell: str) -> bool:
    """Whether a cell is empty, or NA, NaN, null, None or ?; capitals do not matter."""
    return cell.strip().lower() in MISSING


def is_number(cell: str) -> bool:
    """Whether a cell is a decimal number, NaN or infinity; "1_0" and digits of other scripts are words."""
    return NUMBER.fullmatch(cell.strip()) is not None


def is_integer(cell: str) -> bool:
    """Whether a cell is a whole number that is written without a point or an exponent."""
    return INTEGER.fullmatch(cell.strip()) is not None


def is_decimal_comma(cell: str) -> bool:
    """Whether a cell is a number with a comma for its point."""
    return "," in cell and DECIMAL_COMMA.fullmatch(cell) is not None


def is_file_name(cell: str) -> bool:
    """Whether a cell is a word with an ending, as "a.png", or has folders, as "a/17"."""
    return not is_number(cell) and FILE_NAME.fullmatch(cell) is not None


def counts_rows(cells: Sequence[str]) -> bool:
    """Whether the cells are 0, 1, 2, ... or 1, 2, 3, ..."""
    start = int(cells[0]) if cells and cells[0] in ("0", "1") else None
    return start is not None and all(is_integer(cell) and int(cell) == start + i for i, cell in enumerate(cells))


ENOUGH = 10  # rows from which a column with another value in each is no factor


def why_no_values(column: Column, nameless: bool, classes: bool) -> str | None:
    """Why a column only says which row it is, in words; None where it has values to score.

    Its cells are all different, and they name files, count the rows (from five rows on, or from two if it is the first
    one and `nameless` under a header), or it has a name such as "id". Of `classes`, no column of ten rows or more has
    another one in each row.
    """
    cells = column.cells
    if len(cells) < 2 or any(map(is_missing, cells)) or len(set(cells)) < len(cells):
        return None
    if all(map(is_file_name, cells)):
        return NAMES_FILES
    if counts_rows(cells) and (nameless or len(cells) >= 5):
        return "it counts the rows"
    whole = all(is_integer(cell) or not is_number(cell) for cell in cells)
    if whole and INDEX_NAME.fullmatch(column.name):
        return "it is an index by its name, and every row has another value"
    if classes and whole and len(cells) >= ENOUGH:
        return "every row has a value of its own, so it is an index and no factor"
    return None


def numbers_or_words(cells: Sequence[str]) -> np.ndarray:
    """The numbers that the cells are, where all of them are numbers; else the words. Integers may be of any size."""
    if all(map(is_integer, cells)):
        return np.array([int(cell) for cell in cells], object)
    if not all(map(is_number, cells)):
        return np.array(cells)
    numbers = np.array([float(cell) for cell in cells])
    return numbers if (np.abs(numbers[np.isfinite(numbers)]) < EXACT).all() else np.array(cells)


def alike_but_for_case(words: Iterable[str]) -> list[str]:
    """The first words that are one but for capitals, such as RED and red: classes of their own, perhaps by mistake."""
    spellings: dict[str, set[str]] = {}
    for word in words:
        spellings.setdefault(word.casefold(), set()).add(word)
    return next((sorted(same) for same in spellings.values() if len(same) > 1), [])


def class_numbers(cells: Sequence[str], position: int, where: str) -> np.ndarray:
    """The class of every cell: numbers in rising order, words in alphabetical order. Raises ValueError, which begins
    with `where`, for numbers that are not whole."""
    values = numbers_or_words(cells)
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.round(values))).all():
        raise ValueError(not_whole([position], where))
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def not_whole(columns: Sequence[int], where: str) -> str:
    """What is said of columns of factors that are no classes."""
    return (
        f"{where}: columns {list(columns)} are not whole numbers. The metrics need classes: bin a continuous factor "
        "first, for example with numpy.digitize into 10 quantiles, or leave it out."
    )


def to_numbers(column: Column, where: str) -> np.ndarray:
    """The cells as numbers, NaN where one is missing. Raises ValueError for one that is none, with its row."""
    for row, cell in enumerate(column.cells):
        if not is_number(cell) and not is_missing(cell):
            raise ValueError(f"{where} has {cell!r} in data row {row + 1}, which is no number.")
    return np.array([np.nan if is_missing(cell) else float(cell) for cell in column.cells], np.float64)
