"""Arrays in .npy and .npz files, read from the first row on: never a whole array in memory, never a pickle."""

import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, NotImplementedError, RuntimeError)
"""What NumPy and zipfile raise for damaged files. KeyError, SyntaxError and the like are turned into ValueError."""


class Rows:
    """The rows of one array, in order; asking for earlier rows begins again. Raises ValueError for what is no array."""

    def __init__(self, path: Path, member: str | None = None) -> None:
        """`member` is the name of an array in an .npz; None reads an .npy."""
        self.path, self.member = path, member
        self._begin()
        if self.dtype.hasobject:
            raise ValueError("it holds pickled objects")
        if self.fortran and len(self.shape) > 1:
            raise ValueError("it is stored column by column; store np.ascontiguousarray(images)")

    def _begin(self) -> None:
        if self.member is None:
            self._file: IO[bytes] = self.path.open("rb")
        else:
            archive = zipfile.ZipFile(self.path)
            self._file = archive.open(f"{self.member}.npy")
        try:
            version = np.lib.format.read_magic(self._file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            self.shape, self.fortran, self.dtype = read(self._file)
        except (SyntaxError, KeyError, AttributeError, MemoryError, RecursionError, UnicodeDecodeError) as error:
            raise ValueError(f"its header cannot be read: {error}") from error
        self.at = 0

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows start .. stop - 1. Raises ValueError where the file ends before."""
        if start < self.at:
            self._file.close()
            self._begin()
        while self.at < start:
            self._take(min(start, self.at + 1024) - self.at)
        return self._take(stop - start)

    def _take(self, count: int) -> np.ndarray:
        shape = (count, *self.shape[1:])
        size = int(np.prod(shape)) * self.dtype.itemsize
        data = bytearray()
        while len(data) < size:
            block = self._file.read(min(size - len(data), 1 << 24))
            if not block:
                raise ValueError(f"it ends after row {self.at + len(data) * count // max(size, 1)} of {len(self)}")
            data += block
        self.at += count
        if self.at == len(self):
            self._file.read(1)  # at its end a zip member checks its checksum
        return np.frombuffer(data, self.dtype).reshape(shape)


def members(path: Path) -> list[str]:
    """The names of the arrays in an .npz. Raises ValueError where it is an .npy or a pickle."""
    with path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        raise ValueError("it is a single array (.npy)")
    if not zipfile.is_zipfile(path):
        raise ValueError("it holds pickled objects" if start[:1] == b"\x80" else "it is no .npz, or is cut short")
    with zipfile.ZipFile(path) as file:
        return [name.removesuffix(".npy") for name in file.namelist() if name.endswith(".npy")]


def small(path: Path, member: str) -> np.ndarray:
    """One whole array of an .npz. Raises ValueError for pickled objects."""
    rows = Rows(path, member)
    if not rows.shape:
        return np.frombuffer(rows._file.read(rows.dtype.itemsize), rows.dtype).reshape(())
    return rows.read(0, len(rows))
