"""ffhq: 70,000 aligned faces from Flickr, without labels.

Read from the LMDB of Diff-AE (ffhq256.lmdb, keys 256-00000 to 256-69999, 256 x 256), or from the publishers' folder
thumbnails128x128 (00000/00000.png and so on, which thus cannot give more than 128 x 128). Splits as in Diff-AE's
loader: the first 10,000 rows are `test`, the others `train`; DiTi trains on all.

Resized with Pillow's Lanczos filter, antialiased; the loaders of Diff-AE, PDAE and DiTi resize the 256 x 256 pictures
with a bilinear one.

A picture that cannot be read is named in a warning and left out.

`build` raises SettingsError where the set is not there, ValueError where it cannot be used or has not 70,000 pictures.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.formats.lmdb import CountedImages, data_file, open_images, rows_used
from unweave.data.reading import attribute_table
from unweave.data.reading.image_files import IMAGE_ENDINGS
from unweave.data.reading.image_source import ImageSource
from unweave.data.settings import DatasetSettings

COUNT, TEST, KEY = 70_000, 10_000, "256-{index:05d}"
FILES = ("ffhq256.lmdb", "ffhq256", "ffhq.lmdb", "data.mdb", "thumbnails128x128")
PAGE = "https://github.com/NVlabs/ffhq-dataset"
LOGIN = (
    "ffhq256.lmdb is on a drive that wants a browser: see 'LMDB Datasets' at https://github.com/phizaz/diffae; "
    f"or save the folder thumbnails128x128 from the drive that {PAGE} names"
)
DOWNLOADS = (RemoteFile("ffhq256.lmdb/data.mdb", (), PAGE, login=LOGIN),)
CARD = Card(
    title="FFHQ (Flickr-Faces-HQ)",
    source=PAGE,
    licence="CC BY-NC-SA 4.0 for the set; each picture has a licence of its own (from memory)",
    citation="Karras, Laine, Aila: A Style-Based Generator Architecture for GANs. CVPR 2019.",
    notes="Aligned by machine: some faces are cut off, of statues or drawn. The pictures of Diff-AE's LMDB were "
    "reduced to 256 x 256 and saved as JPEG.",
)


class FFHQSettings(DatasetSettings):
    name: Literal["ffhq"] = "ffhq"
    path: Path | None = Field(default=None, description="the LMDB, the folder thumbnails128x128, or what holds one")
    size: int = Field(default=64, ge=8, le=256, description="pixels; 64 and 128 are usual")
    count: int | None = Field(default=None, ge=1, le=COUNT, description="the first rows only; None: all 70,000")


def files(settings: FFHQSettings) -> list[Path]:
    path = _find(settings)
    return _numbered_pictures(path) or [data_file(path)]


def _find(settings: FFHQSettings) -> Path:
    """The LMDB, or the folder of numbered pictures."""
    path = settings.path
    if path is not None and path.expanduser().is_dir() and path.name in FILES:
        return path.expanduser()
    return find_file(path, "ffhq", FILES, ("FFHQ",))


def _numbered_pictures(path: Path) -> list[Path]:
    """The pictures 00000.png, 00001.png, ... in a folder and its folders, in that order."""
    if not path.is_dir() or (path / "data.mdb").is_file():
        return []
    pictures = [file for file in path.rglob("[0-9]*.*") if file.suffix.lower() in IMAGE_ENDINGS and file.is_file()]
    return sorted(pictures, key=lambda file: file.name)


def source(settings: FFHQSettings) -> ImageSource:
    path = _find(settings)
    stored, read = _open_images(path, settings.size)
    count = rows_used("FFHQ", stored, COUNT, settings.count)
    splits = {"test": np.arange(min(count, TEST)), "train": np.arange(TEST, count)}
    return ImageSource(
        name="ffhq" if count == COUNT else f"ffhq-{count}",
        card=CARD.of_first_rows(count, COUNT),
        shape=(3, settings.size, settings.size),
        count=count,
        read=read,
        splits={name: rows for name, rows in splits.items() if len(rows)},
    )


def _open_images(path: Path, size: int) -> CountedImages:
    """Raises ValueError where the pictures of a folder are not numbered 00000, 00001, ..., none left out."""
    pictures = _numbered_pictures(path)
    if not pictures:
        return open_images(data_file(path), KEY, size)
    for row, file in enumerate(pictures):
        if file.stem != f"{row:05d}":
            raise ValueError(
                f"{path} must hold {row:05d}.png and so on, none left out; found {file.name} in its place."
            )
    return CountedImages(
        len(pictures), attribute_table.picture_reader(pictures, [file.name for file in pictures], size, None)
    )


DATASET = DatasetDefinition(
    settings=FFHQSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
    child_process_only=True,
)
