"""shapes3d: 3D Shapes (Burgess & Kim, 2018): 480,000 rendered pictures of one object in a room, six known factors.

Reads the original 3dshapes.h5 (keys `images` and `labels`), or a 3dshapes.npz with `images` in the same order (what
the released code of DisDiff and EncDiff reads). Where there are `labels`, the order of all rows is checked.

64 x 64 RGB, a complete grid in the published order.

`build` raises SettingsError where the file is not found, ValueError where it is damaged or another one, ImportError
where h5py is missing.
"""

from pathlib import Path
from typing import Literal

from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.factors import FactorGrid
from unweave.data.reading import published_arrays
from unweave.data.reading.image_source import ImageBlock, ImageSource, resize_source
from unweave.data.settings import PublishedSettings

GRID = FactorGrid(
    ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
    (10, 10, 10, 8, 4, 15),
)
FILES = ("3dshapes.h5", "3dshapes.npz")
PAGE = "https://github.com/google-deepmind/3d-shapes"

DOWNLOADS = (
    RemoteFile(
        file="3dshapes.h5",
        urls=("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
        page=PAGE,
        sha256="0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
        bytes=267_573_662,
    ),
)
"""Size and checksum as TensorFlow Datasets has them."""

CARD = Card(
    title="3D Shapes",
    source=PAGE,
    licence="Apache-2.0 (that of the publishers' repository; from memory)",
    citation=(
        "Chris Burgess and Hyunjik Kim, 3D Shapes Dataset, 2018; used first in Kim and Mnih, Disentangling by "
        "Factorising, ICML 2018"
    ),
    notes=(
        "Synthetic. A complete grid, no noise; no label defects are known to unweave. Classes rise with the values: "
        "hues 0 .. 0.9 in steps of 0.1, scale 0.75 .. 1.25, shape 0 .. 3, orientation -30 .. 30 degrees (values from "
        "memory). Scores are close to 1 for recent methods: differences between them say little."
    ),
)


class Shapes3DSettings(PublishedSettings):
    name: Literal["shapes3d"] = "shapes3d"


def files(settings: Shapes3DSettings) -> list[Path]:
    return [find_file(settings.path, "shapes3d", FILES, ("3dshapes",))]


def source(settings: Shapes3DSettings) -> ImageSource:
    path = files(settings)[0]
    arrays = published_arrays.open_arrays(path, ("images", "labels"))
    images = published_arrays.grid_images(arrays, "images", (64, 64, 3), GRID, path)
    if "labels" in arrays:
        published_arrays.check_row_order(arrays["labels"], GRID, f"labels in {path}")
    return resize_source(
        ImageSource(
            name="shapes3d",
            card=CARD,
            shape=(3, 64, 64),
            count=len(GRID),
            read=lambda start, stop: ImageBlock(images.read(start, stop)),
            labels=GRID,
            in_order=True,
        ),
        settings.size,
    )


DATASET = DatasetDefinition(
    settings=Shapes3DSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
    child_process_only=True,
)
