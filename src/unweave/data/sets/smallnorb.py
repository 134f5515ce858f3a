"""smallnorb: small NORB (LeCun et al., 2004): photographs of 50 toys; 48,600 grey pictures, five known factors.

Reads the six original files (.mat in a binary matrix format of their own, no MATLAB; or .mat.gz), training rows first,
each in the order of the files; the left camera; resized to 64 x 64 (Lanczos). Azimuths are stored as 0, 2 .. 34 and
halved. Every combination of the factors is there once, but rows are in no order.

Deviations from disentanglement_lib: pixels are read as unsigned (it reads them as signed bytes), and the instance is a
factor (it draws the instance at random).

64 x 64 grey; splits `train` and `test` are the publishers'.

`build` raises SettingsError where a file is not found, ValueError that names the file where it is damaged or another
one.
"""

import gzip
import math
from pathlib import Path
from typing import IO, Literal

import numpy as np

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.factors import FactorGrid
from unweave.data.reading.archives import DAMAGE_ERRORS
from unweave.data.reading.image_files import resize_pixels
from unweave.data.reading.image_source import ImageBlock, ImageSource, Labels, resize_source
from unweave.data.settings import PublishedSettings
from unweave.foreign import errors_as

GRID = FactorGrid(("category", "instance", "elevation", "azimuth", "lighting"), (5, 10, 9, 18, 6))
SIDE = 64
STORED_SIDE = 96  # pixels, in the files
TRAIN, TEST = "smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing"
FILES = tuple(f"{chunk}-{what}.mat" for chunk in (TRAIN, TEST) for what in ("dat", "cat", "info"))
PAGE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
BYTES, INTEGERS = 507333717, 507333716  # magic numbers of types
TYPES: dict[int, np.dtype] = {BYTES: np.dtype("u1"), INTEGERS: np.dtype("<i4")}
PUBLISHED = {
    f"{TRAIN}-dat": (131_896_188, "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873"),
    f"{TRAIN}-cat": (348, "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa"),
    f"{TRAIN}-info": (71_052, "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32"),
    f"{TEST}-dat": (130_799_817, "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474"),
    f"{TEST}-cat": (347, "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff"),
    f"{TEST}-info": (10_428, "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2"),
}
"""Sizes and checksums as TensorFlow Datasets has them."""

DOWNLOADS = tuple(
    RemoteFile(file=f"{name}.mat.gz", urls=(f"{PAGE}{name}.mat.gz",), page=PAGE, sha256=sha256, bytes=size)
    for name, (size, sha256) in PUBLISHED.items()
)

CARD = Card(
    title="small NORB",
    source=PAGE,
    licence="research use only (from memory; see the publishers' page)",
    citation=(
        "LeCun, Huang and Bottou, Learning Methods for Generic Object Recognition with Invariance to Pose and "
        "Lighting, CVPR 2004"
    ),
    notes=(
        "Every combination once, left camera of two. Azimuths of two toys do not compare: azimuth 0 of one points "
        "elsewhere than that of another. An instance number is one toy within its category: 3 of the cars has nothing "
        "in common with 3 of the animals. disentanglement_lib hides the instance: its scores are on category, "
        "elevation, azimuth and lighting, with a random instance. The publishers' test split has other toys than the "
        "training split."
    ),
)


class SmallNORBSettings(PublishedSettings):
    name: Literal["smallnorb"] = "smallnorb"


def files(settings: SmallNORBSettings) -> list[Path]:
    path = settings.path
    if path is not None and path.expanduser().is_file():
        raise SettingsError(f"data.path: {path} is a file; expected the folder of the six files of small NORB.")
    return [find_file(path, "smallnorb", (name, f"{name}.gz"), ("small_norb",)) for name in FILES]


def source(settings: SmallNORBSettings) -> ImageSource:
    train, test = (chunk[0] for chunk in (files(settings)[:3], files(settings)[3:]))
    half = len(GRID) // 2
    pictures = [MatrixFile(path, (half, 2, STORED_SIDE, STORED_SIDE), TYPES[BYTES]) for path in (train, test)]

    def read(start: int, stop: int) -> ImageBlock:
        parts = []
        for first, matrix in zip((0, half), pictures):
            low, high = max(start - first, 0), min(stop - first, half)
            if low < high:
                parts.append(matrix.read(low, high)[:, 0])
        return ImageBlock(resize_pixels(np.concatenate(parts)[..., None], (SIDE, SIDE)))

    return resize_source(
        ImageSource(
            name="smallnorb",
            card=CARD,
            shape=(1, SIDE, SIDE),
            count=len(GRID),
            read=read,
            labels=read_classes(files(settings)),
            splits={"train": np.arange(half), "test": np.arange(half, len(GRID))},
            in_order=True,
        ),
        settings.size,
    )


def read_classes(paths: list[Path]) -> Labels:
    """Classes of all rows. Raises ValueError where they are out of range or not every combination once."""
    half, dtype = len(GRID) // 2, TYPES[INTEGERS]
    chunks = []
    for _, cat, info in (paths[:3], paths[3:]):
        category = MatrixFile(cat, (half,), dtype).read(0, half)
        instance, elevation, azimuth, lighting = MatrixFile(info, (half, 4), dtype).read(0, half).T
        if (azimuth % 2).any():
            raise ValueError(f"{info}: azimuths must be even (0, 2 .. 34), got {azimuth[azimuth % 2 != 0][0]}.")
        chunks.append(np.stack([category, instance, elevation, azimuth // 2, lighting], axis=1))
    classes = np.concatenate(chunks).astype(np.int64)
    where = f"{paths[1]}, {paths[2]} and those of the test set"
    with errors_as(IndexError, lambda error: ValueError(f"{where}: {error} They are damaged.")):
        counts = np.bincount(GRID.index(classes), minlength=len(GRID))
    if (counts != 1).any():
        raise ValueError(
            f"{paths[2].parent}: {(counts == 0).sum()} combinations of the factors are missing and "
            f"{(counts > 1).sum()} are there twice or more; are training and testing files the same?"
        )
    return Labels(GRID.names, GRID.sizes, classes)


class MatrixFile:
    """The rows of one file, best read in order: earlier rows of a .gz begin at its start again.

    The format: magic number (type), number of dimensions, at least three dimensions, all little-endian 32-bit
    integers, then the numbers. Raises ValueError that names the file where it is damaged, or has another type or shape.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.shape, self.dtype = path, shape, dtype
        self._file: IO[bytes] | gzip.GzipFile = gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
        magic, dims = self._numbers(0, 2, "<i4").tolist()
        if magic not in TYPES or not 1 <= dims <= 8:
            raise ValueError(f"{path} is not in the binary matrix format of NORB: it begins with {magic}, {dims}.")
        stored = tuple(self._numbers(8, dims, "<i4").tolist())
        if stored != shape or TYPES[magic] != dtype:
            raise ValueError(f"{path} holds {TYPES[magic]} {list(stored)}, expected {dtype} {list(shape)}.")
        self._start = 8 + 4 * max(3, dims)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Rows start .. stop - 1; with the last one, what follows: a .gz checks its checksum there."""
        row = math.prod(self.shape[1:])
        numbers = self._numbers(self._start + start * row * self.dtype.itemsize, (stop - start) * row, self.dtype)
        if stop == self.shape[0] and self._bytes(1):
            raise ValueError(f"{self.path} goes on after its last row. Get it again.")
        return numbers.reshape(stop - start, *self.shape[1:])

    def _numbers(self, position: int, count: int, dtype: np.dtype | str) -> np.ndarray:
        size = count * np.dtype(dtype).itemsize
        data = self._bytes(size, position)
        if len(data) < size:
            raise ValueError(f"{self.path} is cut short: {size - len(data):,} bytes are missing. Get it again.")
        return np.frombuffer(data, dtype)

    def _bytes(self, count: int, position: int | None = None) -> bytes:
        with errors_as(DAMAGE_ERRORS, lambda error: ValueError(f"{self.path} is damaged: {error}. Get it again.")):
            if position is not None:
                self._file.seek(position)
            return self._file.read(count)


DATASET = DatasetDefinition(
    settings=SmallNORBSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
)
