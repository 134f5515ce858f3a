"""Labels that lie in shards: `.cls` and `.json` files of a tar in WebDataset's layout, columns of Parquet files.

The first shard says which columns are factors, and all others must have them. A shard keeps its own values, and the
place of every picture among them; the classes of the set number the values of all shards together.
"""

import json
import logging
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from unweave import progress
from unweave.config import SettingsError, nearest
from unweave.data.reading.archives import open_archive
from unweave.data.reading.labels import from_columns
from unweave.data.reading.shards import ShardIndex, image_column, open_parquet, parquet_columns
from unweave.data.reading.table_columns import Column, why_no_values
from unweave.files import temporary_path
from unweave.types import FactorTable

LABEL_ENDINGS = (".cls", ".json")
MAX_LABEL_BYTES = 1 << 20  # of a file of labels
MAX_LETTERS = 200  # of a value
SCALAR = re.compile(r"(u?int|bool|string|large_string|float|double|dictionary<values=(u?int|string|large_string))")
"""Types of Parquet columns that are read as labels."""

Columns = tuple[str, ...]

logger = logging.getLogger("unweave")


class ShardLabels(NamedTuple):
    """The labels of the pictures of a shard."""

    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]  # of each factor, as text, those that this shard has
    places: Int[np.ndarray, "pictures factors"]  # of each picture, among the values


class FactorClasses(NamedTuple):
    """The factors of a set, and the class of each of their values."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    classes: tuple[Mapping[str, int], ...]

    def table(self, labels: ShardLabels) -> FactorTable:
        """The classes of the pictures of a shard."""
        columns = [
            np.array([classes[value] for value in values.tolist()], np.int64)[places]
            for classes, values, places in zip(self.classes, labels.values, labels.places.T)
        ]
        return np.stack(columns, axis=1)


def number_factors(
    count: int, read: Callable[[int, Columns | None], ShardLabels], chosen: Columns | None, source: str
) -> FactorClasses:
    """The factors of so many shards, of which `read` gives the labels: those chosen, or those that the first one has.

    Classes are numbered in rising order of numbers, or alphabetical order of words. Raises ValueError for numbers that
    are not whole.
    """
    names = read(0, chosen).names
    values: list[set[str]] = [set() for _ in names]
    with progress.task("reading labels", count, "shards") as task:
        for number in range(count):
            for together, own in zip(values, read(number, names).values):
                together.update(own.tolist())
            task.update(number + 1)
    numbered = [from_columns({name: sorted(together)}, source) for name, together in zip(names, values)]
    classes = [dict(zip(sorted(together), each.classes[:, 0].tolist())) for together, each in zip(values, numbered)]
    return FactorClasses(names, tuple(each.sizes[0] for each in numbered), tuple(classes))


def read_shard_labels(path: Path, index: ShardIndex, columns: Sequence[str] | None, kept: Path) -> ShardLabels:
    """The labels of a shard in these columns, made where the file `kept` does not have them.

    None takes all columns that every picture has, but for those with another value for each, which a warning names.
    Raises SettingsError for a column that is not there, ValueError for a picture without a value.
    """
    try:
        with np.load(kept, allow_pickle=False) as stored:
            names = tuple(stored["names"].tolist())
            return ShardLabels(names, tuple(stored[f"values_{i}"] for i in range(len(names))), stored["places"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        cells = _cells(path, index)
    names = _factor_columns(path, cells) if columns is None else tuple(columns)
    numbered = [_number(_whole_column(path, index, name, cells)) for name in names]
    values = tuple(values for values, _ in numbered)
    labels = ShardLabels(names, values, np.stack([places for _, places in numbered], axis=1))
    with temporary_path(kept) as temporary, temporary.open("wb") as file:
        stored_values = {f"values_{i}": each for i, each in enumerate(values)}
        np.savez(file, names=np.array(names), places=labels.places, **stored_values)  # type: ignore[arg-type]
    return labels


def _factor_columns(path: Path, cells: Mapping[str, Sequence[str | None]]) -> tuple[str, ...]:
    """The columns that are factors."""
    taken = []
    for name, column in cells.items():
        if None in column:
            continue
        reason = why_no_values(Column(name, tuple(map(str, column))), nameless=False, classes=True)
        if reason is None:
            taken.append(name)
        else:
            logger.warning("%s: %s is left out, as %s; data.factors=[%s] takes it", path, name, reason, name)
    if not taken:
        raise SettingsError(
            f"data.labels: {path} has no labels that every picture has; expected files {' or '.join(LABEL_ENDINGS)} "
            "beside those of a tar, or columns of integers or words."
        )
    return tuple(taken)


def _whole_column(
    path: Path, index: ShardIndex, name: str, cells: Mapping[str, Sequence[str | None]]
) -> tuple[str, ...]:
    """A column with a value for each picture."""
    if name not in cells:
        has = ", ".join(cells) or "none"
        raise SettingsError(f"data.factors: {path} has no labels {name!r}.{nearest(name, cells)} It has: {has}.")
    column = Column(name, tuple("" if cell is None else cell for cell in cells[name]))
    if (missing := column.first_missing()) is not None:
        picture = os.fsdecode(bytes(index.names[missing]))
        raise ValueError(
            f"{path.name} has no {name!r} for {picture}: give every picture one, or name the columns to use with "
            "data.factors=[...]."
        )
    if (longest := max(column.cells, key=len, default="")) and len(longest) > MAX_LETTERS:
        raise ValueError(
            f"{path.name} has a {name!r} of {len(longest):,} letters ({longest[:40]!r} ...), which is no class: name "
            "the columns to use with data.factors=[...]."
        )
    return column.cells


def _number(cells: Sequence[str]) -> tuple[np.ndarray, Int[np.ndarray, "pictures"]]:
    values = sorted(set(cells))
    place = {value: number for number, value in enumerate(values)}
    return np.array(values, str), np.fromiter((place[cell] for cell in cells), np.int32, len(cells))


def _cells(path: Path, index: ShardIndex) -> dict[str, list[str | None]]:
    """The labels of each picture of a shard, by column; None where it has none."""
    if path.suffix == ".parquet":
        return _parquet_cells(path)
    labels: dict[str, dict[str, str]] = {}
    for key, more in _tar_labels(path):
        labels.setdefault(key, {}).update(more)
    rows = [labels.get(_split(os.fsdecode(bytes(name)))[0], {}) for name in index.names]
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def _tar_labels(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The key and the labels of each file of labels."""
    archive = open_archive(path, LABEL_ENDINGS)
    for member in sorted(archive.members, key=lambda member: int(member.position)):
        key, ending = _split(member.name)
        try:
            text = archive.read(member, MAX_LABEL_BYTES).decode()
            yield key, _from_json(text) if ending.endswith("json") else {ending: text.strip()}
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path.name}: the labels {member.name} cannot be read: {error}") from None


def _split(name: str) -> tuple[str, str]:
    """Key and ending of a file: WebDataset takes what is before the first dot of the name, and what is after it."""
    folder, _, file = name.rpartition("/")
    key, _, ending = file.partition(".")
    return f"{folder}/{key}", ending


def _from_json(text: str) -> dict[str, str]:
    """The numbers and words of a JSON object; what is nested in it is no label."""
    content = json.loads(text)
    if not isinstance(content, Mapping):
        raise ValueError(f'expected an object such as {{"shape": 1}}, got {text[:40]!r}')
    return {str(name): str(value) for name, value in content.items() if isinstance(value, str | int | float)}


def _parquet_cells(path: Path) -> dict[str, list[str | None]]:
    pictures = image_column(path)
    names = [name for name, kind in parquet_columns(path).items() if name != pictures and SCALAR.match(kind)]
    table: Any = open_parquet(path).read(columns=names)
    return {name: [None if value is None else str(value) for value in table.column(name).to_pylist()] for name in names}
