"""lmdb: encoded image files (JPEG, PNG, WebP, ...) in an LMDB, as RGB squares.

With `key`, row i is the value under that key with i in place of {index}; the key `length`, where there is one, says how
many there are, else they are counted from 0 to the first that is missing. Without it, every value that begins as an
image file does is a row, in the order of the keys' bytes.

The LMDBs of Diff-AE are read with these keys: CelebA "None-{index:07d}" (the aligned pictures of 178 x 218; its usual
crop is crop=[25, 57, 153, 185]), FFHQ and CelebA-HQ "256-{index:05d}", LSUN bedrooms and horses "256-{index:07d}". The
sets `ffhq`, `celebahq` and `bedroom` check their sizes, too.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from unweave.config import SettingsError
from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.reading import lmdb_images
from unweave.data.reading.image_files import Box
from unweave.data.reading.image_source import ImageSource
from unweave.data.settings import DatasetSettings


class LMDBSettings(DatasetSettings):
    name: Literal["lmdb"] = "lmdb"
    path: Path = Field(description="the folder of the LMDB, or its data.mdb")
    key: str | None = Field(
        default=None,
        description='the key of row `index`, such as "256-{index:05d}"; None: every value that is an image',
    )
    size: int = Field(default=64, ge=8, le=4096, description="pixels; the crop of each image is resized to it")
    crop: Box | None = Field(default=None, description="pixels: left, top, right, bottom; None: the middle square")


def build(settings: LMDBSettings) -> Dataset:
    """An image that cannot be decoded is named by its key in a warning and left out.

    Raises SettingsError for a path without an LMDB and for a bad key, ValueError for an LMDB that cannot be used,
    ImportError where the package lmdb is missing.
    """
    return cache.open_cached("lmdb", settings)


def files(settings: LMDBSettings) -> list[Path]:
    if settings.key is not None:
        lmdb_images.check_key(settings.key)
    if settings.crop is not None and not (settings.crop[0] < settings.crop[2] and settings.crop[1] < settings.crop[3]):
        raise SettingsError(f"data.crop must be left, top, right, bottom in pixels, got {list(settings.crop)}.")
    return [lmdb_images.data_file(settings.path)]


def source(settings: LMDBSettings) -> ImageSource:
    file = files(settings)[0]
    count, read = lmdb_images.open_images(file, settings.key, settings.size, settings.crop)
    title = file.resolve().parent.stem if file.name == "data.mdb" else file.stem
    return ImageSource(
        name=title,
        card=Card(title=title, source=file.name, licence="unknown to unweave: see where the file comes from"),
        shape=(3, settings.size, settings.size),
        count=count,
        read=read,
    )


DATASET = DatasetDefinition(
    version=2, settings=LMDBSettings, build=build, files=files, source=source, child_process_only=True
)
