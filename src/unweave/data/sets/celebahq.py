"""celebahq: the 30,000 faces of CelebA-HQ and, where its file is there, 40 attributes of two classes: 0 no, 1 yes.

Read from the LMDB of Diff-AE: celebahq256.lmdb, keys 256-00000 to 256-29999, 256 x 256. Attributes are those of
CelebAMask-HQ-attribute-anno.txt, beside the LMDB or in celeba_anno/ there: its row "17.jpg" is row 17 here, as in
Diff-AE's loader. Resized with Pillow's Lanczos filter, antialiased; that loader uses a bilinear one.

A picture that cannot be read is named in a warning and left out.

`build` raises SettingsError where the set is not there, ValueError where it cannot be used, has not 30,000 pictures, or
the attributes are of others.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.formats import lmdb
from unweave.data.reading import attribute_table
from unweave.data.reading.image_source import ImageSource, Labels
from unweave.data.settings import DatasetSettings

COUNT, ATTRIBUTES, KEY = 30_000, 40, "256-{index:05d}"
FILES = ("celebahq256.lmdb", "celebahq256", "celebahq.lmdb", "data.mdb")
TABLE = "CelebAMask-HQ-attribute-anno.txt"
PAGE = "https://github.com/switchablenorms/CelebAMask-HQ"
LOGIN = (
    "celebahq256.lmdb is on a drive that wants a browser: see 'LMDB Datasets' at https://github.com/phizaz/diffae; "
    f"{TABLE} is in the archive that {PAGE} links to"
)
DOWNLOADS = (RemoteFile("celebahq256.lmdb/data.mdb", (), PAGE, login=LOGIN), RemoteFile(TABLE, (), PAGE, login=LOGIN))
CARD = Card(
    title="CelebA-HQ, with the attributes of CelebAMask-HQ",
    source=PAGE,
    licence="non-commercial research and education only (see the page)",
    citation="Karras, Aila, Laine, Lehtinen: Progressive Growing of GANs. ICLR 2018. "
    "Lee, Liu, Wu, Luo: MaskGAN. CVPR 2020.",
    notes="Attributes are the annotators' impressions, as in CelebA. Pictures were enhanced by machine and are "
    "in another order than in CelebA.",
)


class CelebAHQSettings(DatasetSettings):
    name: Literal["celebahq"] = "celebahq"
    path: Path | None = Field(default=None, description="the LMDB, or the folder that holds it")
    size: int = Field(default=64, ge=8, le=256, description="pixels; 64 and 128 are usual")
    count: int | None = Field(default=None, ge=1, le=COUNT, description="the first rows only; None: all 30,000")


def files(settings: CelebAHQSettings) -> list[Path]:
    file = lmdb.data_file(find_file(settings.path, "celebahq", FILES, ("CelebAMask-HQ", "celeba_hq")))
    folders = [file.parent, file.parent.parent] if file.name == "data.mdb" else [file.parent]
    tables = [folder / inside / TABLE for folder in folders for inside in ("", "celeba_anno", "CelebAMask-HQ")]
    return [file, *[table for table in tables if table.is_file()][:1]]


def source(settings: CelebAHQSettings) -> ImageSource:
    file, *tables = files(settings)
    stored, read = lmdb.open_images(file, KEY, settings.size)
    count = lmdb.rows_used("CelebA-HQ", stored, COUNT, settings.count)
    return ImageSource(
        name="celebahq" if count == COUNT else f"celebahq-{count}",
        card=CARD.of_first_rows(count, COUNT),
        shape=(3, settings.size, settings.size),
        count=count,
        read=read,
        labels=_read_labels(tables[0], count) if tables else None,
    )


def _read_labels(table: Path, count: int) -> Labels:
    """Attributes of rows 0 .. count - 1. Raises ValueError where one has none."""
    attributes = attribute_table.read_attributes(table)
    row_of = {file: row for row, file in enumerate(attributes.files)}
    missing = [row for row in range(count) if f"{row}.jpg" not in row_of]
    if missing or (count == COUNT and len(attributes.names) != ATTRIBUTES):
        problem = f"no row {missing[0]}.jpg" if missing else f"{len(attributes.names)} attributes"
        raise ValueError(f"{table} must have {ATTRIBUTES} attributes of 0.jpg to {count - 1}.jpg, got {problem}.")
    rows = np.array([row_of[f"{row}.jpg"] for row in range(count)])
    return Labels(attributes.names, (2,) * len(attributes.names), attributes.classes[rows])


DATASET = DatasetDefinition(
    settings=CelebAHQSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
    child_process_only=True,
)
