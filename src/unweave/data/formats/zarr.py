"""zarr: images in one array of a zarr folder (version 2 or 3), and factors in another, where there are such.

The images are [N, H, W, C] with 1 to 64 channels, or [N, H, W] grey, of numbers of any type; factors are [N, F]
integers of any values. The folder is opened in a child process only, as its codecs are C libraries.

`build` raises SettingsError where there is no such folder or array, ValueError where its content cannot be used.
"""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from unweave.config import SettingsError, nearest
from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import DatasetDefinition
from unweave.data.formats._image_arrays import ArraySettings, ImageArray, array_source, check_shape
from unweave.data.reading import labels
from unweave.data.reading.image_source import ImageSource
from unweave.foreign import errors_as, load


class ZarrSettings(ArraySettings):
    name: Literal["zarr"] = "zarr"
    key: str = Field(default="images", description="the array of the images; groups before it, as in train/images")
    factors_key: str = Field(default="factors", description="the array of the factors, where there is one")


def files(settings: ZarrSettings) -> list[Path]:
    path = settings.path.expanduser()
    found = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    if not found:
        raise SettingsError(f"data.path: there is no zarr folder {path}.")
    return found


def source(settings: ZarrSettings) -> ImageSource:
    path = settings.path.expanduser()
    zarr = load("zarr", "reading zarr needs", "science")
    with errors_as(Exception, lambda error: ValueError(f"{path} cannot be read as zarr: {error}")):
        opened = zarr.open(str(path), mode="r")
    images = _array(opened, settings.key, path)
    where = f"{settings.key} in {path}"
    array = ImageArray(
        where,
        check_shape(list(images.shape), np.dtype(images.dtype), where),
        np.dtype(images.dtype),
        lambda start, stop: np.asarray(_read(images, slice(start, stop), where)),
    )
    factors, names = _factors(opened, settings.factors_key, where)
    known = None if factors is None else labels.from_array(factors, names, array.shape[0], str(path))
    return array_source(array, settings, known)


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
    damaged = f"{where} cannot be read at row {rows.start or 0}; it is probably damaged"
    with errors_as(Exception, lambda error: ValueError(f"{damaged}: {error}")):  # codecs raise anything
        return array[rows]


DATASET = DatasetDefinition(settings=ZarrSettings, build=build, files=files, source=source, child_process_only=True)
