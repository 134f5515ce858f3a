"""npz: any .npz with `images`, and where factors are known `factors` and `factor_names`; or an .npy of images.

`images` is [N, H, W, C] with 1 to 64 channels, or [N, H, W] grey, of numbers of any type; `factors` is [N, F]
integers of any values; `factor_names` is [F] strings. Other arrays in the file are not read.
"""

import math
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.formats._image_arrays import ImageArray, array_reader, check_shape, choose_array_reading
from unweave.data.reading import labels, npy
from unweave.data.reading.image_source import ImageSource, existing_file
from unweave.data.settings import PictureSettings

HOW_TO_MAKE = "np.savez(path, images=images), where images is [N, H, W, C]"
MAX_IMAGE_BYTES = 256 << 20


class NpzSettings(PictureSettings):
    name: Literal["npz"] = "npz"
    path: Path
    size: int | None = Field(
        default=None, ge=8, description="pixels; the middle square is resized to it. None: as stored"
    )


def build(settings: NpzSettings) -> Dataset:
    """Raises SettingsError where there is no such file, ValueError where its content cannot be used."""
    return cache.open_cached("npz", settings)


def files(settings: NpzSettings) -> list[Path]:
    return [existing_file(settings.path, "an .npz file")]


def source(settings: NpzSettings) -> ImageSource:
    path = files(settings)[0]
    try:
        single = path.suffix.lower() == ".npy"
        keys = ["images"] if single else npy.array_names(path)
        rows = npy.ArrayRows(path, None if single else "images") if "images" in keys else None
        factors, names = (npy.read_whole(path, name) if name in keys else None for name in ("factors", "factor_names"))
    except npy.DAMAGE_ERRORS as error:
        raise ValueError(
            f"{path} cannot be read as {path.suffix.lower()}, or is cut short: {error}. Make it with {HOW_TO_MAKE}."
        ) from error
    if rows is None:
        raise ValueError(f"{path} has no `images`, only {', '.join(keys) or 'nothing'}. Make it with {HOW_TO_MAKE}.")
    where, size = f"images in {path}", settings.size
    shape = check_shape(list(rows.shape), rows.dtype, where)
    if math.prod(shape[1:]) * rows.dtype.itemsize > MAX_IMAGE_BYTES:
        raise ValueError(
            f"{where} are too large: shape {list(rows.shape)}, of which one image has more than "
            f"{MAX_IMAGE_BYTES:,} bytes."
        )

    def read(start: int, stop: int) -> np.ndarray:
        try:
            return rows.read(start, stop)
        except npy.DAMAGE_ERRORS as error:
            raise ValueError(f"{path} cannot be read as .npz, or is cut short: {error}.") from error

    array = ImageArray(where, shape, rows.dtype, read)
    reading = choose_array_reading(array, settings, in_order=True)
    target = (size or shape[1], size or shape[2])
    return ImageSource(
        name=path.stem,
        card=Card(title=path.stem, source=path.name, licence="unknown to unweave: see where the file comes from"),
        shape=(len(reading.range), *target),
        count=shape[0],
        read=array_reader(array, reading, target),
        labels=None if factors is None else labels.from_array(factors, names, len(rows), str(path)),
        reading=reading,
        in_order=True,
    )


DATASET = DatasetDefinition(settings=NpzSettings, build=build, files=files, source=source, version=2)
