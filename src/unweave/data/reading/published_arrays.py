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
    members = npy.array_names(path)
    rows = {key: npy.ArrayRows(path, key) for key in keys if key in members}
    return {
        key: StoredArray(found.shape, found.dtype, naming_damaged_file(path, found.read)) for key, found in rows.items()
    }


def open_hdf5_arrays(path: Path, keys: Sequence[str]) -> dict[str, StoredArray]:
    try:
        import h5py
    except ImportError:
        raise ImportError(f"reading {path.name} needs h5py: pip install 'unweave[data]'") from None
    file, found = h5py.File(path, "r"), {}
    for key in keys:
        data = _own(file, key, path)
        if isinstance(data, h5py.Dataset):
            shape = tuple(map(int, data.shape))
            get = naming_damaged_file(path, data.__getitem__)
            found[key] = StoredArray(shape, data.dtype, rows_by_block(get, shape, data.dtype, data.chunks))
    return found


def _own(file: Any, key: str, path: Path) -> Any:
    """What this name leads to in the file itself, or None. Raises ValueError for what leads out of the file."""
    import h5py

    here = file
    for part in key.split("/"):
        link = here.get(part, getlink=True) if isinstance(here, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{key!r} in {path} is a link, which the published file does not have: it is not read.")
        here = here[part]
    if isinstance(here, h5py.Dataset) and (here.external is not None or here.is_virtual):
        raise ValueError(f"{key!r} in {path} has its numbers in other files, which are not read.")
    return here


T = TypeVar("T")


def naming_damaged_file(path: Path, read: Callable[..., T]) -> Callable[..., T]:
    """The same function, but whatever it raises of a damaged file becomes a ValueError that names the file."""

    def safe(*where: Any) -> T:
        try:
            return read(*where)
        except npy.DAMAGE_ERRORS as error:
            raise ValueError(f"{path} cannot be read, or is cut short: {error}. Get it again.") from error

    return safe


def rows_by_block(
    get: Callable[..., np.ndarray], shape: tuple[int, ...], dtype: np.dtype, chunks: tuple[int, ...] | None
) -> Callable[[int, int], np.ndarray]:
    """Rows of an HDF5 array, whose compressed chunks may run over many rows and few pixels, as in the published files.

    There a row touches all chunks of its block of rows (180 MB of 3D Shapes), so that reading a few rows at a time
    would unpack everything 20 times over. Such a block is unpacked once, a strip of lines at a time, into a temporary
    file.
    """
    row = math.prod(shape[1:]) * dtype.itemsize
    tall = min(chunks[0], shape[0]) if chunks and len(shape) > 1 else 1
    if chunks is None or tall * row <= MAX_UNPACKED_BYTES:
        return lambda start, stop: get(slice(start, stop))
    strip = tall * row // shape[1] * chunks[1]  # bytes
    lines = chunks[1] * max(1, MAX_UNPACKED_BYTES // strip)
    block: np.ndarray | None = None
    held = -1

    def read(start: int, stop: int) -> np.ndarray:
        nonlocal block, held
        if block is None:
            with scratch_file(tall * row) as file:
                block = np.memmap(file, dtype, "w+", shape=(tall, *shape[1:]))
        result, at = np.empty((stop - start, *shape[1:]), dtype), start
        while at < stop:
            number = at // tall
            first, end = number * tall, min(number * tall + tall, shape[0])
            if number != held:
                held = -1
                for line in range(0, shape[1], lines):
                    block[: end - first, line : line + lines] = get((slice(first, end), slice(line, line + lines)))
                held = number
            upto = min(stop, end)
            result[at - start : upto - start] = block[at - first : upto - first]
            at = upto
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
    found: dict[str, StoredArray], key: str, shape: tuple[int, ...], grid: FactorGrid, path: Path
) -> StoredArray:
    """The images of a published grid. Raises ValueError where they are not there, or not as many or not as large."""
    if key not in found:
        raise ValueError(f"{path} has no `{key}`: it is not the published file.")
    images, expected = found[key], (len(grid), *shape)
    if images.dtype != np.uint8 or images.shape != expected:
        raise ValueError(
            f"{key} in {path} must be uint8 {list(expected)}, got {images.dtype} {list(images.shape)}: it is not the "
            "published file, or a part of it. Any other set of images is welcome as an .npz (data.name=npz)."
        )
    return images


def check_row_order(labels: StoredArray, grid: FactorGrid, where: str) -> None:
    """Nothing, where all rows have the classes that the grid has there; values stand for classes and rise with them.

    Raises ValueError that names the first row that has not.
    """
    expected = (len(grid), len(grid.sizes))
    if labels.shape != expected or labels.dtype.kind not in "iuf":
        raise ValueError(f"{where} must be numbers {list(expected)}, got {labels.dtype} {list(labels.shape)}.")
    values = [np.full(size, np.nan) for size in grid.sizes]  # of each class, as met first
    for start in range(0, len(grid), 1 << 16):
        rows = np.arange(start, min(start + (1 << 16), len(grid)))
        read, classes = labels.read(start, start + len(rows)).astype(np.float64), grid.factors(rows)
        for name, known, column, right in zip(grid.names, values, read.T, classes.T):
            met, first = np.unique(right, return_index=True)
            known[met] = np.where(np.isnan(known[met]), column[first], known[met])
            wrong = ~np.isclose(column, known[right], rtol=0, atol=1e-6)
            if wrong.any():
                row, got = rows[wrong][0], column[wrong][0]
                raise ValueError(
                    f"{where}: row {row} has {name} {got:g}, and the published order has {known[right[wrong][0]]:g} "
                    "there: the rows were shuffled or sorted. Get the file again."
                )
    for name, known in zip(grid.names, values):
        if not (np.diff(known) > 0).all():
            raise ValueError(f"{where}: the values of {name} must rise with the rows, got {known.tolist()}.")
