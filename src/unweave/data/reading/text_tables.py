"""Tables in text files, whatever separates their cells: the one reader of codes, factors, labels and targets."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unweave.data.reading.table_columns import (
    Column,
    counts_rows,
    is_decimal_comma,
    is_file_name,
    is_integer,
    is_missing,
    is_number,
)
from unweave.foreign import errors_as

ENDINGS = (".csv", ".tsv", ".txt")
SEPARATORS = {"\t": "TABs", ";": "semicolons", "|": "bars", ",": "commas", " ": "blanks"}

_QUOTED = re.compile(r'(?<![^\s,;|])"(?:[^"]|"")*"')  # a quote within a word is a character of it
_OPENED = re.compile(r'(?<![^\s,;|])"')  # and, where what is closed is taken away, not closed
_COMMENT = re.compile(r"\s*#(\s|#|$)")  # "#ff0000" is a colour
_TWO_NUMBERS = re.compile(r"\d\s+[-+.\d]")
SAMPLE = 1000  # lines that tell what separates the cells


class TextTable(NamedTuple):
    """The columns of a file, without blanks around their cells."""

    path: Path
    columns: tuple[Column, ...]  # their names are "" where the file has no header
    rows: int
    separator: str | None  # in words; None where there is one column

    @property
    def has_header(self) -> bool:
        return any(column.name for column in self.columns)

    def dialect(self) -> str:
        """As in "240 rows, 4 columns separated by commas"."""
        count = len(self.columns)
        return f"{self.rows:,} rows, {count} column{'s' * (count > 1)}" + (
            f" separated by {self.separator}" if self.separator else ""
        )


def is_text_table(path: Path) -> bool:
    """Whether a file is one of these by its ending."""
    return path.suffix.lower() in ENDINGS


def read_text_table(path: Path, *, rows: int | None = None, header: bool | None = None) -> TextTable:
    """The columns of a text file in UTF-8, with or without a byte-order mark.

    Cells are separated by commas, semicolons, TABs, bars or blanks, whichever gives every line as many; they may stand
    in double quotes, and blanks around them do not count. Left out are empty lines, comments (lines that begin with #
    and a blank, and all that begin with # before the first other line), what delimiters at the ends of all lines would
    make a column, and "sep=" as the first line.

    `header` says whether the first line has names; None looks: it has, where a word stands over numbers or over names
    of files, where nothing stands over numbers that count the rows, or where there is one line more than `rows`. The
    last comment before the table is its header if it has a word for each column and the first line is none.

    Raises OSError where there is no such file; ValueError, which names the file, the line and a remedy, where it is no
    text, empty, has lines of several lengths, could be read in two ways, or has decimal commas.
    """
    lines, comment = _lines(path)
    if not lines:
        raise ValueError(f"{path}: it is empty; a table has a row for each image.")
    delimiter = _declared(lines) or _delimiter(lines, path)
    table = _parse(path, lines, delimiter)
    first, *rest = table
    if not first:
        raise ValueError(f"{path}: all of its cells are empty.")
    over_rows = rows is not None and len(table) == rows + 1
    named = header if header is not None else bool(rest) and (over_rows or _is_header(first, rest))
    names = [""] * len(first)
    said = _cells([comment], delimiter)[0] if comment else []
    said = said[: len(first)] if not any(said[len(first) :]) else []
    fits = len(said) == len(first) and all(said) and not all(map(is_number, said))
    is_row = header is None or any(is_file_name(cell) or is_number(cell) for cell in first)
    if fits and is_row and not over_rows and not _is_header(first, rest):
        names, named = said, False
    if named:
        names, table = first, rest
    cells_of_columns = zip(*table) if table else [()] * len(names)
    columns = tuple(
        Column(name, tuple(cells)) for name, cells in zip(names, cells_of_columns) if name or any(cells) or not cells
    )
    _refuse_decimal_commas(path, columns, delimiter)
    return TextTable(path, columns, len(table), SEPARATORS.get(delimiter))


def _lines(path: Path) -> tuple[list[tuple[int, str]], str | None]:
    """The lines of a file, numbered, without comments and empty ones; and the last comment before them."""
    other = ValueError(f"{path} cannot be read as .csv: it is no text in UTF-8. Save it as CSV in UTF-8.")
    with errors_as(UnicodeDecodeError, lambda _: other):
        text = path.read_text(encoding="utf-8-sig")  # any end of line becomes "\n"
    if "\0" in text:
        raise ValueError(f"{path} cannot be read as .csv: it has zero bytes. Save it as CSV in UTF-8.")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    first = next((i for i, (_, line) in enumerate(lines) if not line.lstrip().startswith("#")), None)
    if first is None:  # all begin with it: colours, or a header alone
        return lines, None
    comment = lines[first - 1][1].strip().lstrip("#").strip() if first else None
    return [(number, line) for number, line in lines[first:] if not _COMMENT.match(line)], comment


def _declared(lines: list[tuple[int, str]]) -> str | None:
    """What Excel's first line "sep=;" says, which is taken away."""
    declared = re.fullmatch(r"\s*sep=(.)\s*", lines[0][1], re.IGNORECASE) if len(lines) > 1 else None
    if declared is None or declared[1] not in SEPARATORS:
        return None
    del lines[0]
    return declared[1]


def _delimiter(lines: list[tuple[int, str]], path: Path) -> str:
    """What separates the cells: of the characters that give all lines the same number of cells, two or more, that which
    leaves the fewest others inside cells; "" for one column. Raises ValueError where none does, or two do equally."""
    sample = "\n".join(line for _, line in lines[:SAMPLE])
    bare = _QUOTED.sub(lambda quoted: re.sub(r"[,;|\t\n ]", "_", quoted[0][1:-1]) or "_", sample).split("\n")
    fits = {}
    for delimiter in SEPARATORS:
        table = _square([_split(line, delimiter) for line in bare])
        if table is not None and len(table[0]) > 1:
            cells = [cell for line in table for cell in line]
            fits[delimiter] = sum(map(_is_odd, cells)) / len(cells)
    ranked = sorted(fits, key=lambda delimiter: fits[delimiter])  # equals stay in order
    if ranked:
        best = ranked[0]
        if len(ranked) > 1 and fits[best] > 0 and fits[ranked[1]] == fits[best]:
            raise ValueError(
                f"{path} can be read with {SEPARATORS[best]} or with {SEPARATORS[ranked[1]]} between its columns: "
                "put double quotes around the cells."
            )
        if best == " " and not any('"' in line for _, line in lines[:SAMPLE]):
            table = _square([_split(line, best) for line in bare]) or []
            if not any(
                all(
                    any(kind(cell) for kind in (is_number, is_missing, is_file_name, is_decimal_comma))
                    for cell in cells
                )
                for cells in zip(*(table[1:] or table))
            ):
                raise ValueError(
                    f"{path} has words with blanks between them, which may be one column or {len(table[0])}: "
                    "separate columns by commas, or put double quotes around the cells."
                )
        return best
    present = [d for d in SEPARATORS if d != " " and any(d in line for line in bare)]
    uneven = [d for d in present if _square([_split(line, d) for line in bare]) is None]
    if uneven or any(_TWO_NUMBERS.search(line) for line in bare):
        most = max(uneven, key=lambda d: sum(d in line for line in bare), default=" ")
        _refuse_lengths(path, bare, [number for number, _ in lines], most)
    return present[0] if present else ""


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of a line that has no quotes."""
    cells = line.split() if delimiter == " " else line.strip("\n").split(delimiter) if delimiter else [line]
    return [cell.strip() for cell in cells]


def _is_odd(cell: str) -> bool:
    """Whether a cell looks like two: it has a character that separates others, or a blank between numbers."""
    return not is_decimal_comma(cell) and (any(c in cell for c in '\t;|,"') or bool(_TWO_NUMBERS.search(cell)))


def _square(lines: Sequence[list[str]]) -> list[list[str]] | None:
    """Lines of one length, without what delimiters at their ends add; None where a line is too short.

    R gives no name to the column of row names: one is added, where that column is all different.
    """
    full = [max((i for i, cell in enumerate(line, 1) if cell), default=0) for line in lines]
    width = max(full)
    first, rest = lines[0], lines[1:]
    if rest and width > 1 and len(first) == width - 1 and all(len(line) >= width for line in rest):
        row_names = {line[0] for line in rest}
        parts = width > 2 or any("." in cell for line in rest for cell in line)  # or "1,5" is one number
        if parts and len(row_names) == len(rest) and not any(map(is_number, first)):
            first = ["", *first]
    if len(first) < width or any(len(line) < width for line in rest):
        return None
    return [line[:width] for line in (first, *rest)]


def _parse(path: Path, lines: list[tuple[int, str]], delimiter: str) -> list[list[str]]:
    """The cells of all lines, with quotes and what is in them read as CSV has it."""
    texts = [line for _, line in lines]
    if (opened := _OPENED.search(rest := _QUOTED.sub(_keep_lines, "\n".join(texts)))) is not None:
        number = lines[rest.count("\n", 0, opened.start())][0]
        raise ValueError(f"{path}: line {number} has a double quote that is not closed: close it, or take it away.")
    damaged = f"{path} cannot be read as .csv"
    with errors_as(csv.Error, lambda error: ValueError(f"{damaged}: {error}. Are its quotes closed?")):
        cells = _cells(texts, delimiter)
    if delimiter == "|":  # the line below the header of a table in Markdown
        cells = [line for line in cells if not all(re.fullmatch(r":?-+:?|", cell) for cell in line)] or cells
    table = _square(cells)
    if table is None:
        _refuse_lengths(path, [line for _, line in lines], [number for number, _ in lines], delimiter)
        raise ValueError(f"{path}: every line needs the same number of columns.")
    return table


def _keep_lines(quoted: re.Match[str]) -> str:
    """What stands for a quoted cell where lines are counted."""
    return "_" + "\n" * quoted[0].count("\n")


def _cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The cells of lines that may have quotes. Raises csv.Error for a cell that never ends."""
    texts = (line.replace("\t", " ").strip() if delimiter == " " else line for line in lines)
    reader = csv.reader((f"{text}\n" for text in texts), delimiter=delimiter or "\x1f", skipinitialspace=True)
    return [[cell.strip() for cell in line] for line in reader]


def _refuse_lengths(path: Path, texts: Sequence[str], numbers: Sequence[int], delimiter: str) -> None:
    """Raise ValueError with the first line that has another number of cells than the first."""
    lengths = [len(_split(_QUOTED.sub("_", text), delimiter)) for text in texts]
    odd = next((i for i, length in enumerate(lengths) if length != lengths[0]), None)
    if odd is None:
        return
    cells = _split(texts[odd], ",")
    commas = delimiter == "," and len(cells) == 2 * lengths[0] and all(map(is_integer, cells))
    remedy = " A decimal comma? Write numbers with a point." if commas else ""
    raise ValueError(
        f"{path}: every line needs the same number of columns (here separated by {SEPARATORS[delimiter]}), and line "
        f"{numbers[0]} has {lengths[0]}, line {numbers[odd]} has {lengths[odd]}.{remedy}"
    )


def _is_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a line stands over columns that are of another kind than its cells."""
    for name, cells in zip(first, zip(*rest)):
        there = [cell for cell in cells if not is_missing(cell)]
        if (
            there
            and all(map(is_number, there))
            and not any(kind(name) for kind in (is_number, is_missing, is_decimal_comma))
        ):
            return True
        if there and all(map(is_file_name, there)) and not is_file_name(name):
            return True
    return bool(rest) and first[0] == "" and counts_rows([line[0] for line in rest])


def _refuse_decimal_commas(path: Path, columns: Sequence[Column], delimiter: str) -> None:
    """Raise ValueError where numbers are written with a comma, be they one cell or two."""
    remedy = "write numbers with a point (pandas: to_csv(..., decimal='.'))."
    for column in columns:
        commas = [cell for cell in column.cells if is_decimal_comma(cell)]
        if commas and all(is_number(cell) or is_missing(cell) or is_decimal_comma(cell) for cell in column.cells):
            raise ValueError(f"{path} has {commas[0]!r} in it, a number with a decimal comma: {remedy}")
    if delimiter != "," or len(columns) % 2 or any(column.name for column in columns):
        return
    whole, parts = columns[::2], columns[1::2]
    if all(is_integer(cell) for column in columns for cell in column.cells) and not any(
        cell.startswith(("-", "+")) for column in parts for cell in column.cells
    ):
        padded = [(i, j) for i, part in enumerate(parts) for j, cell in enumerate(part.cells) if re.match(r"0\d", cell)]
        if padded and not any(re.match(r"[-+]?0\d", cell) for column in whole for cell in column.cells):
            i, j = padded[0]
            number = f"{whole[i].cells[j]},{parts[i].cells[j]}"
            raise ValueError(f"{path} has {number!r} in it, which looks like a number with a decimal comma: {remedy}")
