"""Arrays in .npy and .npz files, read from the first row on: never a whole array in memory, never a pickle."""

import math
import zipfile
from io import BufferedIOBase
from pathlib import Path
from typing import cast

import numpy as np

from unweave.data.reading.archives import DAMAGE_ERRORS
from unweave.foreign import errors_as

MAX_WHOLE_BYTES = 1 << 30  # bytes of an array that is read whole


class ArrayRows:
    """The rows of one array, in order; asking for earlier rows begins again.

    Raises ValueError for what is no array of rows (pickled objects, one stored column by column), and from `read`
    where the file is damaged or ends before.
    """

    def __init__(self, path: Path, member: str | None = None) -> None:
        """`member` is the name of an array in an .npz; None reads an .npy."""
        self.path, self.member = path, member
        self._open()
        if self.fortran and len(self.shape) > 1:
            raise ValueError("it is stored column by column; store np.ascontiguousarray(images)")

    def _open(self) -> None:
        self._file, (self.shape, self.fortran, self.dtype) = _open_array(self.path, self.member)
        self.position = 0

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows start .. stop - 1."""
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        try:
            if start < self.position:
                self._file.close()
                self._open()
            self._file.seek((start - self.position) * row, 1)
            self.position = start
            data = self._file.read((stop - start) * row)
            if len(data) < (stop - start) * row:
                raise ValueError(f"it ends before row {start + len(data) // row + 1} of {len(self)} is whole")
            self.position = stop
            if self.position == len(self):
                self._file.read(1)  # at its end a zip member checks its checksum
        except DAMAGE_ERRORS as error:
            self.position = len(self) + 1  # whoever reads on begins again
            raise ValueError(str(error)) from error
        return np.frombuffer(data, self.dtype).reshape(stop - start, *self.shape[1:])


def _open_array(path: Path, array_name: str | None) -> tuple[BufferedIOBase, tuple[tuple[int, ...], bool, np.dtype]]:
    """The file or the member of an .npz after its header, and what the header says. Raises ValueError."""
    with errors_as(DAMAGE_ERRORS, lambda error: ValueError(f"its header cannot be read: {error}")):
        if array_name is None:
            file: BufferedIOBase = path.open("rb")
            size = path.stat().st_size
        else:
            archive = zipfile.ZipFile(path)
            file = cast(zipfile.ZipExtFile, archive.open(f"{array_name}.npy"))
            size = archive.getinfo(f"{array_name}.npy").file_size
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        size -= file.tell()
    if dtype.hasobject:
        raise ValueError("it holds pickled objects")
    if dtype.itemsize == 0 or dtype.subdtype is not None or any(length < 0 for length in shape):
        raise ValueError(f"its header cannot be read: {dtype} {list(shape)} is no array")
    if math.prod(shape) * dtype.itemsize > size:
        rows = size // max(1, math.prod(shape[1:]) * dtype.itemsize)
        raise ValueError(f"it ends after row {rows} of {shape[0] if shape else 1}")
    return file, (shape, fortran, dtype)


def array_names(path: Path) -> list[str]:
    """The names of the arrays in an .npz. Raises ValueError where it is an .npy, a pickle or damaged."""
    with path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        raise ValueError("it is a single array (.npy)")
    if not zipfile.is_zipfile(path):
        raise ValueError("it holds pickled objects" if start[:1] == b"\x80" else "it is no .npz, or is cut short")
    damaged = errors_as(DAMAGE_ERRORS, lambda error: ValueError(f"its table of contents is damaged: {error}"))
    with damaged, zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def read_whole(path: Path, array_name: str) -> np.ndarray:
    """One whole array of an .npz, of 1 GB at most. Raises ValueError for pickled objects and damaged files."""
    _, (shape, _, dtype) = _open_array(path, array_name)
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_WHOLE_BYTES:
        raise ValueError(f"{array_name} has {size:,} bytes, more than {MAX_WHOLE_BYTES:,}")
    with errors_as(DAMAGE_ERRORS, lambda error: ValueError(str(error))), zipfile.ZipFile(path) as archive:
        file = archive.open(f"{array_name}.npy")
        array = np.lib.format.read_array(file)
        file.read(1)  # at its end a zip member checks its checksum
        return array
