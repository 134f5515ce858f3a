"""cars3d: Cars3D (Reed et al., 2015): 183 models of cars from 24 sides and 4 heights; 17,568 pictures.

Reads the 183 MATLAB files of the original archive (variable `im`: height, width, RGB, azimuth, elevation; uint8) and
resizes to 64 x 64 (Lanczos, as the thumbnails of disentanglement_lib). Row e * 4392 + a * 183 + o has elevation e,
azimuth a and object o.

Deviation: objects are numbered by the sorted names of their files. Other loaders number them in the order of the
file system's listing, which differs between machines, or in that of the archive's list.txt.

64 x 64 RGB, a complete grid.

`build` raises SettingsError where there is no such folder, ValueError where it does not hold 183 files of cars or one
of them is damaged, named.
"""

import math
from pathlib import Path
from typing import Literal

import numpy as np

from unweave.config import SettingsError
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import Card, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, data_home, search_folders
from unweave.data.factors import FactorGrid
from unweave.data.reading import published_arrays
from unweave.data.reading.image_files import resize_pixels
from unweave.data.reading.image_source import ImageBlock, ImageSource, resize_source
from unweave.data.settings import PublishedSettings
from unweave.foreign import errors_as
from unweave.types import Pixels

GRID = FactorGrid(("elevation", "azimuth", "object_type"), (4, 24, 183))
SIDE = 64
ARCHIVE = "nips2015-analogy-data.tar.gz"
SUBFOLDERS = ("", "cars", "data/cars")  # where the files lie in a folder
PAGE = "http://www.scottreed.info"

DOWNLOADS = (
    RemoteFile(
        file=ARCHIVE,
        urls=(
            f"http://www.scottreed.info/files/{ARCHIVE}",
            f"http://www-personal.umich.edu/~reedscot/files/{ARCHIVE}",
        ),
        page=PAGE,
        unpack=True,
    ),
)

CARD = Card(
    title="Cars3D",
    source=PAGE,
    licence="not stated by the publishers",
    citation="Reed, Zhang, Zhang and Lee, Deep Visual Analogy-Making, NIPS 2015",
    notes=(
        "A complete grid of renderings on white. Object numbers are positions in the sorted file names: those of other "
        "loaders differ (they follow the file system's listing, or list.txt), so object classes do not compare between "
        "libraries. 183 objects are identities, not a scale: neighbouring numbers are no similar cars. Released code "
        "of DisDiff and EncDiff repeats each picture 10 times in training."
    ),
)


class Cars3DSettings(PublishedSettings):
    name: Literal["cars3d"] = "cars3d"


def files(settings: Cars3DSettings) -> list[Path]:
    """The 183 files, sorted by name."""
    path = settings.path
    if path is not None and path.expanduser().is_file():
        raise SettingsError(f"data.path: {path} is a file; unpack it, and name the folder of the 183 .mat files.")
    for folder in search_folders(path, "cars3d", ("cars",)):
        for inner in SUBFOLDERS:
            paths = sorted((folder / inner).glob("*.mat"))
            if paths:
                check_names(paths, folder / inner)
                return paths
    where = path or data_home() / "cars3d"
    raise SettingsError(
        f"cars3d needs the 183 .mat files of {ARCHIVE}, which are not in {where}: get them "
        "with `unweave data get cars3d`, or say where they are with data.path=FOLDER."
    )


def check_names(paths: list[Path], folder: Path) -> None:
    """Raises ValueError, which names what is too many or missing, unless there are as many files as cars."""
    expected = GRID.sizes[-1]
    if len(paths) == expected:
        return
    present, listing = {path.stem for path in paths}, folder / "list.txt"
    listed = set(listing.read_text(errors="replace").split()) if listing.is_file() else set()
    unlisted, missing = sorted(present - listed) if listed else [], sorted(listed - present)
    problems = [
        f"{problem}: {format_names(names)}"
        for problem, names in (("missing", missing), ("not listed", unlisted))
        if names
    ]
    raise ValueError(
        f"{folder} has {len(paths)} .mat files, expected {expected}: "
        f"{'; '.join(problems) or format_names([path.stem for path in paths])}. Unpack {ARCHIVE} again."
    )


def format_names(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" ... and {len(names) - 5} more" if len(names) > 5 else "")


def source(settings: Cars3DSettings) -> ImageSource:
    paths = files(settings)
    cars: np.ndarray | None = None

    def read(start: int, stop: int) -> ImageBlock:
        nonlocal cars
        if cars is None:
            cars = read_cars(paths)
        elevation, azimuth, number = GRID.factors(np.arange(start, stop)).T
        return ImageBlock(np.asarray(cars[number, elevation, azimuth]))

    return resize_source(
        ImageSource(
            name="cars3d", card=CARD, shape=(3, SIDE, SIDE), count=len(GRID), read=read, labels=GRID, in_order=True
        ),
        settings.size,
    )


def read_cars(paths: list[Path]) -> np.ndarray:
    """[object, elevation, azimuth, height, width, channel] in a temporary file (216 MB).

    Neighbouring rows are of different cars, and so each file of a car is read once.
    """
    shape = (len(paths), *GRID.sizes[:2], SIDE, SIDE, 3)
    with published_arrays.scratch_file(math.prod(shape)) as file:
        for path in paths:
            file.write(read_car(path).data)
        file.flush()
        return np.memmap(file, np.uint8, "r", shape=shape)


def read_car(path: Path) -> Pixels:
    """The pictures of one car, elevation by elevation, resized. Raises ValueError that names the file."""
    from scipy.io import loadmat

    damaged = f"{path} cannot be read as a MATLAB file"
    with errors_as(Exception, lambda error: ValueError(f"{damaged}: {error}. Unpack {ARCHIVE} again.")):
        array = loadmat(path, variable_names=["im"]).get("im")
    elevations, azimuths = GRID.sizes[:2]
    shape = list(array.shape) if isinstance(array, np.ndarray) else None
    if shape is None or array.dtype != np.uint8 or shape[2:] != [3, azimuths, elevations] or min(shape[:2]) < 8:
        got = "no `im`" if shape is None else f"`im` {array.dtype} {shape}"
        raise ValueError(f"{path} has {got}; expected uint8 [128, 128, 3, {azimuths}, {elevations}].")
    views = np.ascontiguousarray(array.transpose(4, 3, 0, 1, 2))  # elevation, azimuth, height, width, channel
    return resize_pixels(views.reshape(-1, *views.shape[2:]), (SIDE, SIDE))


DATASET = DatasetDefinition(
    settings=Cars3DSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
    child_process_only=True,
)
