"""bedroom: the 3,033,042 bedrooms of LSUN, without labels.

Read from the LMDB of Diff-AE: bedroom256.lmdb, keys 256-0000000 to 256-3033041, 256 x 256. At 128 x 128 the cache takes
149 GB: see `count`. Resized with Pillow's Lanczos filter, antialiased; the loaders of Diff-AE, PDAE and DiTi use a
bilinear one, and show pictures flipped at random, too.

A picture that cannot be read is named in a warning and left out.

`build` raises SettingsError where the set is not there, ValueError where it cannot be used or has not 3,033,042
pictures.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.formats import lmdb
from unweave.data.reading.image_source import ImageSource
from unweave.data.settings import DatasetSettings

COUNT, KEY = 3_033_042, "256-{index:07d}"
FILES = ("bedroom256.lmdb", "bedroom256", "bedroom.lmdb", "data.mdb")
PAGE = "https://github.com/fyu/lsun"
LOGIN = (
    "bedroom256.lmdb was on a drive whose link is broken (see 'LMDB Datasets' at https://github.com/phizaz/diffae); "
    f"get the original with the scripts at {PAGE} and pack it with Diff-AE's data_resize_bedroom.py, or "
    "read the original LMDB with the set `lmdb`"
)
DOWNLOADS = (RemoteFile("bedroom256.lmdb/data.mdb", (), PAGE, login=LOGIN),)
CARD = Card(
    title="LSUN bedrooms",
    source=PAGE,
    licence="none is stated (from memory); the photographs belong to their owners",
    citation="Yu, Seff, Zhang, Song, Funkhouser, Xiao: LSUN. arXiv:1506.03365, 2015.",
    notes="The category was given by people and machine in turn: some pictures show no bedroom. The middle square is "
    "used, so that the sides of wide rooms are missing.",
)


class BedroomSettings(DatasetSettings):
    name: Literal["bedroom"] = "bedroom"
    path: Path | None = Field(default=None, description="the LMDB, or the folder that holds it")
    size: int = Field(default=128, ge=8, le=256, description="pixels; 128 is usual")
    count: int | None = Field(default=None, ge=1, le=COUNT, description="the first rows only; None: all 3,033,042")


def files(settings: BedroomSettings) -> list[Path]:
    return [lmdb.data_file(find_file(settings.path, "bedroom", FILES, ("lsun", "LSUN")))]


def source(settings: BedroomSettings) -> ImageSource:
    stored, read = lmdb.open_images(files(settings)[0], KEY, settings.size)
    count = lmdb.rows_used("LSUN bedrooms", stored, COUNT, settings.count)
    return ImageSource(
        name="bedroom" if count == COUNT else f"bedroom-{count}",
        card=CARD.of_first_rows(count, COUNT),
        shape=(3, settings.size, settings.size),
        count=count,
        read=read,
    )


DATASET = DatasetDefinition(
    settings=BedroomSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
    child_process_only=True,
)
