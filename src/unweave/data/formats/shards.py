"""shards: a folder of tar files in WebDataset's layout, or of Parquet files, whose pictures are read where they lie.

Nothing is unpacked or converted: a picture is decoded when it is asked for. The cache keeps an index of each shard. A
folder of loose pictures can be read so too, by its name: data.name=shards.
"""

import hashlib
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from unweave import progress
from unweave.config import SettingsError
from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset, DatasetDefinition, ReadablePixels, ReadableRows
from unweave.data.factors import check_range
from unweave.data.formats.folder import image_paths
from unweave.data.reading.picture_files import PictureFiles, choose_reading, read_picture
from unweave.data.reading.shard_labels import FactorClasses, ShardLabels, number_factors, read_shard_labels
from unweave.data.reading.shards import (
    Shard,
    check_columns,
    loose_shards,
    open_shard,
    read_index,
    read_row_group,
    shard_paths,
)
from unweave.data.settings import FileSettings
from unweave.types import FactorTable, Pixels, Rows

OPEN_SHARDS = 64  # that are open at a time
ROW_GROUPS = 9  # of Parquet files in memory: those that are shuffled together, and the next one
LICENCE = "unknown to unweave: see where the images come from"
NEAR = 100  # pictures after one that cannot be read, of which the first that can stands in for it
ONE_PICTURE = ("auto", "max", "mean", "channels")

logger = logging.getLogger("unweave")


class ShardsSettings(FileSettings):
    name: Literal["shards"] = "shards"
    path: Path


class ShardedDataset(Dataset):
    """Pictures of shards, decoded when they are asked for. One that cannot be read is the next one that can, with a
    warning."""

    def __init__(self, settings: ShardsSettings) -> None:
        folder = settings.path.expanduser().resolve()
        self._paths, self._loose = _shards_of(folder)
        blocks = self._count()
        self._sizes = np.array([part.sum() for part in blocks])
        self.blocks = tuple(count for part in blocks for count in part.tolist() if count)
        self._ends = np.cumsum(self._sizes)
        self.name = folder.name
        self.card = Card(title=folder.name, source=folder.name, licence=LICENCE)
        self._row_group = lru_cache(ROW_GROUPS)(read_row_group)
        self._open = lru_cache(OPEN_SHARDS)(self._open_shard)
        self._factors = self._number_factors(settings.factors) if settings.labels else FactorClasses((), (), ())
        self.factor_names, self.factor_sizes = self._factors.names, self._factors.sizes
        self._classes = lru_cache(OPEN_SHARDS)(
            lambda number: self._factors.table(self._shard_labels(number, self.factor_names))
        )
        self.reading = choose_reading(PictureFiles(self.name, self.card, len(self), self._content, self.file), settings)
        self.shape = (len(self.reading.range), settings.size, settings.size)
        self.colours = settings.colours
        self._warned = False

    def __len__(self) -> int:
        return int(self._ends[-1])

    def images(self, rows: Rows) -> Pixels:
        check_range(rows, len(self), "row")
        return np.stack([self._readable(int(row)) for row in rows]) if len(rows) else self._empty()

    def readable_images(self, rows: Rows) -> tuple[ReadablePixels, ReadableRows, dict[int, str]]:
        """The images of those rows that can be read, those rows, and why the others cannot."""
        check_range(rows, len(self), "row")
        pictures, left, bad = [], list[int](), dict[int, str]()
        for row in map(int, rows):
            try:
                pictures.append(self._picture(row))
                left.append(row)
            except ValueError as error:
                bad[row] = f"{self.file(row)}: {error}"
        return (np.stack(pictures) if pictures else self._empty()), np.array(left, np.int64), bad

    def factors(self, rows: Rows) -> FactorTable | None:
        check_range(rows, len(self), "row")
        if not self.factor_names:
            return None
        shards = np.searchsorted(self._ends, rows, side="right")
        table = np.empty((len(rows), len(self.factor_names)), np.int64)
        for number in map(int, np.unique(shards)):
            here = shards == number
            table[here] = self._classes(number)[rows[here] - (self._ends[number] - self._sizes[number])]
        return table

    def file(self, row: int) -> str:
        """What a person calls a picture: SHARD/NAME."""
        number, inside = self._place(row)
        name = bytes(self._open(number).pictures.names[inside]).decode(errors="replace")
        return name if self._loose else f"{self._paths[number].name}/{name}"

    @lru_cache(1)  # noqa: B019  one data set of a process has it
    def digest(self) -> str:
        """Of names and sizes of pictures, of names, sizes and times of change of files, and of the pixels asked
        for: contents are not read."""
        content = hashlib.sha256(f"{self.shape} {self.reading}".encode())
        if self.factor_names:
            content.update(f"{self.factor_names} {self.factor_sizes}".encode())
        for path in self._paths:
            content.update(_version_of(path))
        for number in range(len(self._sizes)):
            index = self._open(number).pictures
            for name in index.names if self._loose else ():
                content.update(_version_of(Path(os.fsdecode(bytes(name)))))
            content.update(b"\0".join(index.names.tolist()))
            content.update(index.sizes.tobytes())
        return content.hexdigest()[:16]

    def _readable(self, row: int) -> np.ndarray:
        for other in range(row, row + NEAR):
            try:
                return self._picture(other % len(self))
            except ValueError as error:
                if not self._warned:
                    logger.warning("%s cannot be read, and the next one stands in: %s", self.file(row), error)
                self._warned = True
        raise ValueError(f"{self.file(row)} cannot be read, nor can the {NEAR} pictures after it.")

    def _picture(self, row: int) -> np.ndarray:
        assert self.reading is not None
        return read_picture(self._content(row), self.reading, self.shape[1:])

    def _content(self, row: int) -> bytes:
        number, inside = self._place(row)
        return self._open(number).read(inside)

    def _place(self, row: int) -> tuple[int, int]:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return number, int(row - (self._ends[number] - self._sizes[number]))

    def _open_shard(self, number: int) -> Shard:
        if self._loose:
            return self._loose[number]
        path = self._paths[number]
        return open_shard(path, read_index(path, index_file(path)), self._row_group)

    def _count(self) -> list[np.ndarray]:
        """The pictures of the blocks of each shard."""
        blocks = [shard.pictures.blocks for shard in self._loose]
        with progress.task("indexing shards", len(self._paths), "shards") as task:
            for number, path in enumerate(self._paths, 1):
                blocks.append(read_index(path, index_file(path)).blocks)
                task.update(number)
        return blocks

    def _number_factors(self, chosen: tuple[str, ...] | None) -> FactorClasses:
        if self._loose:
            raise SettingsError(
                "data.labels: loose pictures have no labels in shards: leave it out, or read them by data.name=folder."
            )
        return number_factors(len(self._paths), self._shard_labels, chosen or None, self.name)

    def _shard_labels(self, number: int, columns: tuple[str, ...] | None) -> ShardLabels:
        path = self._paths[number]
        index, kept = read_index(path, index_file(path)), index_file(path, f"labels {columns}")
        return read_shard_labels(path, index, columns, kept)

    def _empty(self) -> Pixels:
        return np.zeros((0, *self.shape[1:], self.shape[0]), np.uint8)


def _version_of(path: Path) -> bytes:
    """Name, size and time of change of a file, or that it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return os.fsencode(f"{path.name} gone\0")
    return os.fsencode(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\0")


def index_file(path: Path, what: str = "") -> Path:
    """Where the cache keeps the index of a shard (or its labels), named by its path, size and time of change."""
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}{what}".encode()).hexdigest()
    return cache.root() / "shards" / key[:2] / f"{key[:32]}.npz"


def _shards_of(folder: Path) -> tuple[list[Path], list[Shard]]:
    """The files of the shards of a folder, or shards of its loose pictures."""
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise SettingsError(f"data.path: {folder} {problem}; expected a folder of shards or pictures.")
    paths = shard_paths(folder)
    if paths:
        if paths[0].suffix == ".parquet":
            check_columns(paths)
        return paths, []
    pictures = image_paths(folder, warn=True)
    if not pictures:
        raise ValueError(f"there is neither a shard (.tar, .parquet) nor a picture in {folder}.")
    return [], loose_shards(pictures)


def build(settings: ShardsSettings) -> Dataset:
    """Rows are in the order of the shards' names, and in that of the pictures in each.

    Raises SettingsError where there is no such folder or a setting does not go with shards, ValueError where a shard is
    damaged, compressed or holds no picture, for Parquet files of different columns, and for a picture without a label.
    """
    if settings.patch is not None or settings.pages not in ONE_PICTURE:
        raise SettingsError("shards have one image of each picture: leave out patch and pages.")
    if settings.labels not in (None, "shards"):
        raise SettingsError(f"data.labels of shards are those in them, as data.labels=shards, got {settings.labels}.")
    return ShardedDataset(settings)


DATASET = DatasetDefinition(settings=ShardsSettings, build=build)
