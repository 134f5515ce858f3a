"""lmdb: encoded image files (JPEG, PNG, WebP, ...) in an LMDB, as RGB squares.

With `key`, row i is the value under that key with i in place of {index}; the key `length`, where there is one, says how
many there are, else they are counted from 0 to the first that is missing. Without it, every value that begins as an
image file does is a row, in the order of the keys' bytes.

The LMDBs of Diff-AE are read with these keys: CelebA "None-{index:07d}" (the aligned pictures of 178 x 218; its usual
crop is crop=[25, 57, 153, 185]), FFHQ and CelebA-HQ "256-{index:05d}", LSUN bedrooms and horses "256-{index:07d}". The
sets `ffhq`, `celebahq` and `bedroom` check their sizes, too.

An LMDB is one file, data.mdb in a folder of its own, of sorted keys with values; whoever packed images chose the
keys.

An image that cannot be decoded is named by its key in a warning and left out.

`build` raises SettingsError for a path without an LMDB and for a bad key, ValueError for an LMDB that cannot be used,
ImportError where the package lmdb is missing.
"""

import re
from array import array
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from string import Formatter
from typing import Any, Literal, NamedTuple

from pydantic import Field

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.reading.image_files import Box, ImagePixels, decode_image
from unweave.data.reading.image_source import ImageBlock, ImageSource, read_one_by_one
from unweave.data.settings import DatasetSettings
from unweave.foreign import errors_as, load

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
"""How JPEG, PNG, GIF, BMP and TIFF files begin; WebP is looked at in `is_image`."""
MAX_KEY_BYTES = 511  # bytes of a key


class LMDBSettings(DatasetSettings):
    name: Literal["lmdb"] = "lmdb"
    path: Path = Field(description="the folder of the LMDB, or its data.mdb")
    key: str | None = Field(
        default=None,
        description='the key of row `index`, such as "256-{index:05d}"; None: every value that is an image',
    )
    size: int = Field(default=64, ge=8, le=4096, description="pixels; the crop of each image is resized to it")
    crop: Box | None = Field(default=None, description="pixels: left, top, right, bottom; None: the middle square")


def files(settings: LMDBSettings) -> list[Path]:
    if settings.key is not None:
        check_key(settings.key)
    if settings.crop is not None and not (settings.crop[0] < settings.crop[2] and settings.crop[1] < settings.crop[3]):
        raise SettingsError(f"data.crop must be left, top, right, bottom in pixels, got {list(settings.crop)}.")
    return [data_file(settings.path)]


def source(settings: LMDBSettings) -> ImageSource:
    file = files(settings)[0]
    count, read = open_images(file, settings.key, settings.size, settings.crop)
    title = file.resolve().parent.stem if file.name == "data.mdb" else file.stem
    return ImageSource(
        name=title,
        card=Card(title=title, source=file.name, licence="unknown to unweave: see where the file comes from"),
        shape=(3, settings.size, settings.size),
        count=count,
        read=read,
    )


class CountedImages(NamedTuple):
    """What an `ImageSource` needs."""

    rows: int  # how many
    read: Callable[[int, int], ImageBlock]


def data_file(path: Path) -> Path:
    """The file of an LMDB: `place` itself, or data.mdb in it. Raises SettingsError where there is none."""
    path = path.expanduser()
    file = path / "data.mdb" if path.is_dir() else path
    if not file.is_file():
        problem = "has no data.mdb" if path.is_dir() else "does not exist"
        raise SettingsError(f"data.path: {path} {problem}; expected the folder of an LMDB, or its data.mdb.")
    return file


def rows_used(name: str, available: int, published: int, requested: int | None) -> int:
    """How many rows of a published set are used: all that were published, or the first ones that were requested.

    Raises ValueError where the files hold another number.
    """
    if requested is None and available != published:
        raise ValueError(
            f"{name} has {published:,} images, and the files hold {available:,}: get them again, or set "
            f"data.count={available} to use the set as it is."
        )
    if requested is not None and available < requested:
        raise ValueError(f"data.count={requested}, and the files hold {available:,} images.")
    return published if requested is None else requested


def check_key(key: str) -> str:
    """The key itself, a Python format such as "256-{index:05d}". Raises SettingsError where it is anything else."""
    with errors_as(ValueError, lambda error: SettingsError(f"data.key: {key!r} is no Python format: {error}.")):
        parts = [part for part in Formatter().parse(key) if part[1] is not None]
    good = len(parts) == 1 and parts[0][1] == "index" and parts[0][3] is None
    if not good or not re.fullmatch(r"(0?[0-9]{1,2})?d?", parts[0][2] or "") or len(key.encode()) > MAX_KEY_BYTES - 100:
        raise SettingsError(
            f'data.key: {key!r} must hold {{index}} once and nothing else in braces, for example "256-{{index:05d}}".'
        )
    return key


def open_images(file: Path, key: str | None, size: int, box: Box | None = None) -> CountedImages:
    """Open an LMDB, and count and read the images in it; rows are in the order of the index, or of the keys' bytes.

    Each is decoded and its `box` (the middle square, if None) resized to size x size. Without a key every value that
    begins as an image file does is a row. Raises ImportError without the package lmdb, ValueError for a file that is no
    LMDB, is cut short, or holds no such images. An image that cannot be decoded is bad by its key.
    """
    lmdb = load("lmdb", "reading an LMDB needs", "data")
    damage = partial(
        errors_as, (lmdb.Error, OverflowError, SystemError),
        lambda error: ValueError(
            f"{file} cannot be read as an LMDB, or is damaged: {error}. "
            "Compare its size with the original's, or get it again."
        ),
    )  # fmt: skip
    with damage():
        environment = lmdb.open(str(file), subdir=False, readonly=True, lock=False, meminit=False)
        _check_length(environment, file)
        with environment.begin(buffers=True) as transaction:
            if key is not None:
                key_of_row, count = _by_index(transaction, file, check_key(key))
            else:
                key_of_row, count = _by_content(transaction, file)

    def read(start: int, stop: int) -> ImageBlock:
        with damage(), environment.begin() as transaction:

            def picture(row: int) -> ImagePixels:
                data = transaction.get(key_of_row(row))
                if data is None:
                    raise ValueError("there is no such key")
                return decode_image(data, (size, size), 3, box)

            def name(row: int) -> str:
                return f"{file}: {_format_key(key_of_row(row))}"

            return read_one_by_one(start, stop, (size, size, 3), picture, name)

    return CountedImages(count, read)


KeyOfRow = Callable[[int], bytes]
"""The key of a row."""


def _check_length(environment: Any, file: Path) -> None:
    """Raise ValueError unless the file is as long as it says: reading behind its end would be a crash."""
    needed, size = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"], file.stat().st_size
    if size < needed:
        raise ValueError(f"{file} is cut short: it has {size:,} bytes of {needed:,}. Get it again.")


def _by_index(transaction: Any, file: Path, key: str) -> tuple[KeyOfRow, int]:
    """Rows are numbers in the key, from 0 on."""

    def key_of_row(row: int) -> bytes:
        return key.format(index=row).encode()

    entries = transaction.stat()["entries"]
    length = transaction.get(b"length")
    if length is None:
        count = 0
        while count < entries and transaction.get(key_of_row(count)) is not None:
            count += 1
    elif re.fullmatch(rb"[0-9]{1,12}", bytes(length)) and int(bytes(length)) <= 2 * entries:  # some may be missing
        count = int(bytes(length))
    else:
        raise ValueError(
            f"{file} says under `length` that it holds {_format_key(bytes(length))} images, of {entries} keys."
        )
    if count == 0 or transaction.get(key_of_row(0)) is None:
        keys = islice(transaction.cursor().iternext(values=False), 3)
        first_keys = ", ".join(_format_key(bytes(name)) for name in keys) or "none"
        raise ValueError(
            f"{file} has no key {_format_key(key_of_row(0))}; its first keys are {first_keys}. Set data.key."
        )
    return key_of_row, count


def _by_content(transaction: Any, file: Path) -> tuple[KeyOfRow, int]:
    """Rows are the keys whose values are images. The keys are held as one string: there may be millions."""
    keys, key_ends = bytearray(), array("Q", [0])
    entries = transaction.stat()["entries"]
    for name, value in islice(transaction.cursor(), entries):  # a damaged one might go round in circles
        if is_image(bytes(value[:12])):
            keys += name
            key_ends.append(len(keys))
    if len(key_ends) == 1:
        raise ValueError(f"none of the {entries:,} values of {file} is an image file (JPEG, PNG, WebP, ...).")
    return lambda row: bytes(keys[key_ends[row] : key_ends[row + 1]]), len(key_ends) - 1


def is_image(start: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is an image, by its format's mark."""
    return start.startswith(SIGNATURES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _format_key(key: bytes) -> str:
    return repr(key[:80].decode(errors="backslashreplace"))


DATASET = DatasetDefinition(
    version=2, settings=LMDBSettings, build=build, files=files, source=source, child_process_only=True
)
