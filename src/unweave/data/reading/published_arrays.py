"""Arrays in the files of published sets (.npz, HDF5), read by rows, and the checks that they are what they claim."""

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

from unweave.data.cache import cache
from unweave.data.disk_space import check_cache_space
from unweave.data.factors import FactorGrid
from unweave.data.reading import npy
from unweave.data.reading.archives import DAMAGE_ERRORS
from unweave.foreign import errors_as, load

T = TypeVar("T")

MAX_UNPACKED_BYTES = 8 << 20  # bytes of an HDF5 array that are unpacked at once


class StoredArray(NamedTuple):
    """An array in a file, read by rows. `read` raises ValueError that names the file where it is damaged."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[int, int], np.ndarray]


def open_arrays(path: Path, keys: Sequence[str]) -> dict[str, StoredArray]:
    """Those of the named arrays that an .npz, or else an HDF5 file, holds. Nothing else in it is read.

    Best read from the first row to the last. Raises ValueError that names the file where it cannot be read.
    """
    return naming_damaged_file(path, open_npz_arrays if path.suffix.lower() == ".npz" else open_hdf5_arrays)(path, keys)


def open_npz_arrays(path: Path, keys: Sequence[str]) -> dict[str, StoredArray]:
    names = npy.array_names(path)
    arrays = {key: npy.ArrayRows(path, key) for key in keys if key in names}
    return {
        key: StoredArray(array.shape, array.dtype, naming_damaged_file(path, array.read))
        for key, array in arrays.items()
    }


def open_hdf5_arrays(path: Path, keys: Sequence[str]) -> dict[str, StoredArray]:
    h5py = load("h5py", f"reading {path.name} needs", "data")
    file, arrays = h5py.File(path, "r"), {}
    for key in keys:
        data = _item_in_file(file, key, path)
        if isinstance(data, h5py.Dataset):
            shape = tuple(map(int, data.shape))
            read = naming_damaged_file(path, data.__getitem__)
            arrays[key] = StoredArray(shape, data.dtype, rows_by_block(read, shape, data.dtype, data.chunks))
    return arrays


def _item_in_file(file: Any, key: str, path: Path) -> Any:
    """What this name leads to in the file itself, or None. Raises ValueError for what leads out of the file."""
    import h5py

    item = file
    for part in key.split("/"):
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{key!r} in {path} is a link, which the published file does not have: it is not read.")
        item = item[part]
    if isinstance(item, h5py.Dataset) and (item.external is not None or item.is_virtual):
        raise ValueError(f"{key!r} in {path} has its numbers in other files, which are not read.")
    return item


def naming_damaged_file(path: Path, read: Callable[..., T]) -> Callable[..., T]:
    """The same function, but whatever it raises of a damaged file becomes a ValueError that names the file."""
    damaged = f"{path} cannot be read, or is cut short"
    return errors_as(DAMAGE_ERRORS, lambda error: ValueError(f"{damaged}: {error}. Get it again."))(read)


def rows_by_block(
    read_part: Callable[..., np.ndarray], shape: tuple[int, ...], dtype: np.dtype, chunks: tuple[int, ...] | None
) -> Callable[[int, int], np.ndarray]:
    """Rows of an HDF5 array, whose compressed chunks may run over many rows and few pixels, as in the published files.

    There a row touches all chunks of its block of rows (180 MB of 3D Shapes), so that reading a few rows at a time
    would unpack everything 20 times over. Such a block is unpacked once, a strip of lines at a time, into a temporary
    file.
    """
    row = math.prod(shape[1:]) * dtype.itemsize
    block_rows = min(chunks[0], shape[0]) if chunks and len(shape) > 1 else 1
    if chunks is None or block_rows * row <= MAX_UNPACKED_BYTES:
        return lambda start, stop: read_part(slice(start, stop))
    strip = block_rows * row // shape[1] * chunks[1]  # bytes
    lines = chunks[1] * max(1, MAX_UNPACKED_BYTES // strip)
    block: np.ndarray | None = None
    held_block = -1

    def read(start: int, stop: int) -> np.ndarray:
        nonlocal block, held_block
        if block is None:
            with scratch_file(block_rows * row) as file:
                block = np.memmap(file, dtype, "w+", shape=(block_rows, *shape[1:]))
        result, position = np.empty((stop - start, *shape[1:]), dtype), start
        while position < stop:
            number = position // block_rows
            first, end = number * block_rows, min(number * block_rows + block_rows, shape[0])
            if number != held_block:
                held_block = -1
                for line in range(0, shape[1], lines):
                    block[: end - first, line : line + lines] = read_part(
                        (slice(first, end), slice(line, line + lines))
                    )
                held_block = number
            upto = min(stop, end)
            result[position - start : upto - start] = block[position - first : upto - first]
            position = upto
        return result

    return read


def scratch_file(size: int) -> IO[bytes]:
    """A file for so many bytes, beside the cache: it has no name, and is gone when it is closed or the process ends.

    Raises OSError where the disk is full.
    """
    folder = cache.root() if cache.root().is_dir() else Path(tempfile.gettempdir())
    check_cache_space(folder, size)
    return tempfile.TemporaryFile(dir=folder)


def grid_images(
    arrays: dict[str, StoredArray], key: str, shape: tuple[int, ...], grid: FactorGrid, path: Path
) -> StoredArray:
    """The images of a published grid. Raises ValueError where they are not there, or not as many or not as large."""
    if key not in arrays:
        raise ValueError(f"{path} has no `{key}`: it is not the published file.")
    images, expected = arrays[key], (len(grid), *shape)
    if images.dtype != np.uint8 or images.shape != expected:
        raise ValueError(
            f"{key} in {path} must be uint8 {list(expected)}, got {images.dtype} {list(images.shape)}: it is not the "
            "published file, or a part of it. Any other set of images is welcome as an .npz (data.name=npz)."
        )
    return images


def check_row_order(labels: StoredArray, grid: FactorGrid, source: str) -> None:
    """Raise ValueError, which names the first such row, where a row has other classes than the grid has there.

    Values stand for classes and rise with them.
    """
    expected = (len(grid), len(grid.sizes))
    if labels.shape != expected or labels.dtype.kind not in "iuf":
        raise ValueError(f"{source} must be numbers {list(expected)}, got {labels.dtype} {list(labels.shape)}.")
    values = [np.full(size, np.nan) for size in grid.sizes]  # of each class, as met first
    for start in range(0, len(grid), 1 << 16):
        rows = np.arange(start, min(start + (1 << 16), len(grid)))
        rows_read, classes = labels.read(start, start + len(rows)).astype(np.float64), grid.factors(rows)
        for name, class_values, column, expected_classes in zip(grid.names, values, rows_read.T, classes.T):
            classes_met, first_rows = np.unique(expected_classes, return_index=True)
            class_values[classes_met] = np.where(
                np.isnan(class_values[classes_met]), column[first_rows], class_values[classes_met]
            )
            differs = ~np.isclose(column, class_values[expected_classes], rtol=0, atol=1e-6)
            if differs.any():
                row, value = rows[differs][0], column[differs][0]
                expected_value = class_values[expected_classes[differs][0]]
                raise ValueError(
                    f"{source}: row {row} has {name} {value:g}, and the published order has {expected_value:g} "
                    "there: the rows were shuffled or sorted. Get the file again."
                )
    for name, class_values in zip(grid.names, values):
        if not (np.diff(class_values) > 0).all():
            raise ValueError(f"{source}: the values of {name} must rise with the rows, got {class_values.tolist()}.")
