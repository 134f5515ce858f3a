"""Shards: tar files in WebDataset's layout, Parquet files or loose files, whose pictures are read where they lie.

An index says of every picture its name and its place; that of a tar is made once, from the headers, and kept.
"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from unweave.data.reading.archives import open_archive
from unweave.data.reading.image_files import IMAGE_ENDINGS, MAX_FILE_BYTES
from unweave.files import temporary_path
from unweave.foreign import errors_as, load

SHARD_ENDINGS = (".tar", ".parquet")
LOOSE_FILES = 10_000  # of a shard of loose files


class ShardIndex(NamedTuple):
    """Name and place of each picture of a shard."""

    names: np.ndarray  # bytes
    places: Int[np.ndarray, "pictures"]
    sizes: Int[np.ndarray, "pictures"]  # bytes; 0 where that is not known
    blocks: Int[np.ndarray, "blocks"]  # pictures that are read together: of a Parquet file its row groups


class Shard(NamedTuple):
    """A shard that is open."""

    pictures: ShardIndex
    read: Callable[[int], bytes]  # a picture by its number. Raises ValueError: why not


def shard_paths(folder: Path) -> list[Path]:
    """The shards in a folder, sorted; [] where there are none. Raises ValueError for tar and Parquet files together."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".")]
    kinds = {ending: sorted(name for name in names if name.endswith(ending)) for ending in SHARD_ENDINGS}
    if all(kinds.values()):
        raise ValueError(f"{folder} holds tar and Parquet files: put them into folders of their own.")
    return [folder / name for listed in kinds.values() for name in listed]


def is_sharded(folder: Path) -> bool:
    """Whether a folder holds shards, and no picture beside them."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    shards = [name for name in names if name.lower().endswith(SHARD_ENDINGS) and not name.startswith(".")]
    return bool(shards) and not any(name.lower().endswith(IMAGE_ENDINGS) for name in names)


def open_shard(path: Path, index: ShardIndex, row_group: Callable[[Path, int], list[Any]]) -> Shard:
    """A shard of a tar or Parquet file, by its index; `row_group` is `read_row_group`, which may keep some."""
    return Shard(index, _tar_reader(path, index) if path.suffix == ".tar" else _parquet_reader(path, index, row_group))


def read_index(path: Path, kept: Path) -> ShardIndex:
    """The index of a shard, made where the file `kept` does not have it. Raises ValueError that names the shard."""
    try:
        with np.load(kept, allow_pickle=False) as stored:
            return ShardIndex(*(stored[name] for name in ShardIndex._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        index = tar_index(path) if path.suffix == ".tar" else parquet_index(path)
    with temporary_path(kept) as temporary, temporary.open("wb") as file:
        np.savez(file, **index._asdict())
    return index


def tar_index(path: Path) -> ShardIndex:
    """The pictures of a tar in the order in which they lie there. Raises ValueError for one that is compressed."""
    archive = open_archive(path, IMAGE_ENDINGS)
    if archive.in_order:
        raise ValueError(f"{path} is compressed, and shards are read from any place: unpack it to a plain .tar.")
    members = sorted(archive.members, key=lambda member: int(member.position))
    if not members:
        raise ValueError(f"{path} holds no picture: take it out of the folder.")
    names = np.array([os.fsencode(member.name) for member in members])
    places = np.array([member.position for member in members], np.int64)
    sizes = np.array([member.size for member in members], np.int64)
    return ShardIndex(names, places, sizes, np.array([len(members)]))


def _tar_reader(path: Path, index: ShardIndex) -> Callable[[int], bytes]:
    """Reads by place, so that threads do not disturb each other; the last reference closes the file."""
    file = path.open("rb", buffering=0)

    def read(number: int) -> bytes:
        size = check_size(int(index.sizes[number]))
        data = os.pread(file.fileno(), size, int(index.places[number]))
        if len(data) != size:
            raise ValueError(f"it has {len(data):,} bytes where the archive says {size:,}")
        return data

    return read


def parquet_columns(path: Path) -> dict[str, str]:
    """The columns of a Parquet file, with their types. Raises ValueError where it is none."""
    return {field.name: str(field.type) for field in open_parquet(path).schema_arrow}


def image_column(path: Path) -> str:
    """The column of pictures: bytes, or Hugging Face's {bytes, path}. Raises ValueError where there is not one."""
    pictures = [name for name, kind in parquet_columns(path).items() if "binary" in kind]
    if "image" in pictures:
        return "image"
    if len(pictures) != 1:
        there = ", ".join(f"{name} ({kind})" for name, kind in parquet_columns(path).items())
        raise ValueError(f"{path} must have one column of encoded pictures (binary), called image; it has {there}.")
    return pictures[0]


def check_columns(paths: list[Path]) -> None:
    """Raises ValueError for Parquet shards whose columns differ."""
    first, *others = paths
    expected = parquet_columns(first)
    for path in others:
        if (columns := parquet_columns(path)) != expected:
            odd = sorted(name for name in expected | columns if expected.get(name) != columns.get(name))
            raise ValueError(
                f"{path.name} has other columns than {first.name} ({', '.join(odd)} differ): give shards of one kind."
            )


def parquet_index(path: Path) -> ShardIndex:
    """The rows of a Parquet file; a name is its row."""
    metadata = open_parquet(path).metadata
    count, groups = metadata.num_rows, [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    names = np.array([f"{row}".encode() for row in range(count)] or [b""])[:count]
    return ShardIndex(names, np.arange(count), np.zeros(count, np.int64), np.array(groups, np.int64))


def read_row_group(path: Path, group: int) -> list[Any]:
    """The pictures of a row group, encoded."""
    listed: list[Any] = open_parquet(path).read_row_group(group, columns=[image_column(path)]).column(0).to_pylist()
    return listed


def _parquet_reader(
    path: Path, index: ShardIndex, row_group: Callable[[Path, int], list[Any]]
) -> Callable[[int], bytes]:
    """Reads a group of rows at a time."""
    ends = np.cumsum(index.blocks)

    def read(number: int) -> bytes:
        group = int(np.searchsorted(ends, number, side="right"))
        value = row_group(path, group)[number - int(ends[group] - index.blocks[group])]
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise ValueError("it has no bytes")
        check_size(len(data))
        return bytes(data)

    return read


def open_parquet(path: Path) -> Any:
    """A Parquet file. Raises ImportError without pyarrow, ValueError where it is none."""
    parquet = load("pyarrow.parquet", "Parquet needs", "parquet")
    damaged = f"{path} cannot be read as Parquet"
    with errors_as((ValueError, OSError), lambda error: ValueError(f"{damaged}: {error}".splitlines()[0])):
        return parquet.ParquetFile(path)


def check_size(size: int) -> int:
    """The bytes of a picture. Raises ValueError for more than any format is read of."""
    if size > MAX_FILE_BYTES:
        raise ValueError(f"it has {size:,} bytes, more than {MAX_FILE_BYTES:,}")
    return size


def _read_file(path: Path) -> bytes:
    with errors_as(OSError, lambda error: ValueError(error.strerror or str(error))):
        check_size(path.stat().st_size)
        return path.read_bytes()


def loose_shards(files: list[Path]) -> list[Shard]:
    """Shards of loose files, in their order."""

    def shard(part: list[Path]) -> Shard:
        names = np.array([os.fsencode(file) for file in part])
        count = len(part)
        index = ShardIndex(names, np.arange(count), np.zeros(count, np.int64), np.array([count]))
        return Shard(index, lambda number: _read_file(part[number]))

    return [shard(files[start : start + LOOSE_FILES]) for start in range(0, len(files), LOOSE_FILES)]
