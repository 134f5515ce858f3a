"""zarr: images in one array of a zarr folder (version 2 or 3), and factors in another, where there are such.

The images are [N, H, W, C] with 1 to 64 channels, or [N, H, W] grey, of numbers of any type; factors are [N, F]
integers of any values. The folder is opened in a child process only, as its codecs are C libraries.
"""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from unweave.config import SettingsError, nearest
from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.formats._image_arrays import ImageArray, array_reader, check_shape, choose_array_reading
from unweave.data.reading import labels
from unweave.data.reading.image_source import ImageSource
from unweave.data.settings import PictureSettings


class ZarrSettings(PictureSettings):
    name: Literal["zarr"] = "zarr"
    path: Path
    key: str = Field(default="images", description="the array of the images; groups before it, as in train/images")
    factors_key: str = Field(default="factors", description="the array of the factors, where there is one")
    size: int | None = Field(
        default=None, ge=8, le=4096, description="pixels; the middle square is resized to it. None: as stored"
    )


def build(settings: ZarrSettings) -> Dataset:
    """Raises SettingsError where there is no such folder or array, ValueError where its content cannot be used."""
    return cache.open_cached("zarr", settings)


def files(settings: ZarrSettings) -> list[Path]:
    path = settings.path.expanduser()
    found = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    if not found:
        raise SettingsError(f"data.path: there is no zarr folder {path}.")
    return found


def source(settings: ZarrSettings) -> ImageSource:
    path = settings.path.expanduser()
    opened = _open(path)
    images = _array(opened, settings.key, path)
    where = f"{settings.key} in {path}"
    array = ImageArray(
        where,
        check_shape(list(images.shape), np.dtype(images.dtype), where),
        np.dtype(images.dtype),
        lambda start, stop: np.asarray(_read(images, slice(start, stop), where)),
    )
    reading = choose_array_reading(array, settings)
    size = (settings.size or array.shape[1], settings.size or array.shape[2])
    factors, names = _factors(opened, settings.factors_key, where)
    return ImageSource(
        name=path.name.split(".")[0] or path.name,
        card=Card(title=path.name, source=path.name, licence="unknown to unweave: see where the images come from"),
        shape=(len(reading.range), *size),
        count=array.shape[0],
        read=array_reader(array, reading, size),
        labels=None if factors is None else labels.from_array(factors, names, array.shape[0], str(path)),
        reading=reading,
    )


def _open(path: Path) -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImportError("reading zarr needs zarr: pip install 'unweave[science]'") from error
    try:
        return zarr.open(str(path), mode="r")
    except Exception as error:  # damaged folders raise anything
        raise ValueError(f"{path} cannot be read as zarr: {error}") from error


def _array(opened: Any, key: str, path: Path) -> Any:
    """The array of this name, or the folder itself where it is one. Raises SettingsError where there is none."""
    import zarr

    if isinstance(opened, zarr.Array):
        return opened
    arrays = {name: item for name, item in opened.members(max_depth=None) if isinstance(item, zarr.Array)}
    if key not in arrays:
        raise SettingsError(
            f"data.key: {path} has no array {key!r}.{nearest(key, arrays)} It has: {', '.join(arrays) or 'none'}."
        )
    return arrays[key]


def _factors(opened: Any, key: str, where: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The factors and their names, where there are such."""
    import zarr

    if isinstance(opened, zarr.Array) or key not in opened:
        return None, None
    factors = opened[key]
    names = factors.attrs.get("factor_names", opened.attrs.get("factor_names"))
    return np.asarray(_read(factors, slice(None), where)), None if names is None else np.array(names, dtype=str)


def _read(array: Any, rows: slice, where: str) -> Any:
    """These rows. Raises ValueError that names the array where they are damaged."""
    try:
        return array[rows]
    except Exception as error:  # codecs raise anything of damaged chunks
        raise ValueError(f"{where} cannot be read at row {rows.start or 0}; it is probably damaged: {error}") from error


DATASET = DatasetDefinition(settings=ZarrSettings, build=build, files=files, source=source, child_process_only=True)
