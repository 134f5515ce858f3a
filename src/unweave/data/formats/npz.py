"""npz: any .npz with `images`, and where factors are known `factors` and `factor_names`; or an .npy of images.

`images` is uint8 [N, H, W, C] with one or three channels, or [N, H, W] grey; `factors` is [N, F]
integers of any values; `factor_names` is [F] strings. Other arrays in the file are not read.
"""

import math
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.formats._image_arrays import check_dimensions, conversion_hint, count_channels, sample_size
from unweave.data.reading import labels, npy
from unweave.data.reading.image_source import ImageBlock, ImageSource, existing_file, resize_source
from unweave.data.settings import DatasetSettings

HOW_TO_MAKE = "np.savez(path, images=images), where images is uint8 [N, H, W, C]"
MAX_IMAGE_BYTES = 256 << 20


class NpzSettings(DatasetSettings):
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
    height, width, channels = _sides(rows, path)

    def read(start: int, stop: int) -> ImageBlock:
        try:
            images = rows.read(start, stop)
        except npy.DAMAGE_ERRORS as error:
            raise ValueError(f"{path} cannot be read as .npz, or is cut short: {error}.") from error
        return ImageBlock(images.reshape(stop - start, height, width, channels))

    source = ImageSource(
        name=path.stem,
        card=Card(title=path.stem, source=path.name, licence="unknown to unweave: see where the file comes from"),
        shape=(channels, height, width),
        count=len(rows),
        read=read,
        labels=None if factors is None else labels.from_array(factors, names, len(rows), str(path)),
        in_order=True,
    )
    return resize_source(source, settings.size)


def _sides(rows: npy.ArrayRows, path: Path) -> tuple[int, int, int]:
    """Height, width and channels. Raises ValueError where the array holds no images."""
    where, shape = f"images in {path}", list(rows.shape)
    check_dimensions(shape, where)
    if math.prod(shape[1:]) * rows.dtype.itemsize > MAX_IMAGE_BYTES:
        raise ValueError(
            f"{where} are too large: shape {shape}, of which one image has more than {MAX_IMAGE_BYTES:,} bytes."
        )
    if rows.dtype != np.uint8:
        raise ValueError(f"{where} must be uint8 (0..255), {conversion_hint(rows.read(0, sample_size(shape)))}.")
    return shape[1], shape[2], count_channels(shape, where)


DATASET = DatasetDefinition(settings=NpzSettings, build=build, files=files, source=source)
