"""npz: any .npz with `images`, and where factors are known `factors` and `factor_names`; or an .npy of images.

`images` is [N, H, W, C] with 1 to 64 channels, or [N, H, W] grey, of numbers of any type; `factors` is [N, F]
integers of any values; `factor_names` is [F] strings. Other arrays in the file are not read.

`build` raises SettingsError where there is no such file, ValueError where its content cannot be used.
"""

import math
from pathlib import Path
from typing import Literal

from unweave.data.cache.cache import build_cached as build
from unweave.data.dataset import DatasetDefinition
from unweave.data.formats._image_arrays import ArraySettings, ImageArray, array_source, check_shape
from unweave.data.reading import labels, npy
from unweave.data.reading.archives import DAMAGE_ERRORS
from unweave.data.reading.image_source import ImageSource, existing_file
from unweave.foreign import errors_as

HOW_TO_MAKE = "np.savez(path, images=images), where images is [N, H, W, C]"
MAX_IMAGE_BYTES = 256 << 20


class NpzSettings(ArraySettings):
    name: Literal["npz"] = "npz"


def files(settings: NpzSettings) -> list[Path]:
    return [existing_file(settings.path, "an .npz file")]


def source(settings: NpzSettings) -> ImageSource:
    path = files(settings)[0]
    damaged = f"{path} cannot be read as {path.suffix.lower()}, or is cut short"
    with errors_as(DAMAGE_ERRORS, lambda error: ValueError(f"{damaged}: {error}. Make it with {HOW_TO_MAKE}.")):
        single = path.suffix.lower() == ".npy"
        keys = ["images"] if single else npy.array_names(path)
        rows = npy.ArrayRows(path, None if single else "images") if "images" in keys else None
        factors, names = (npy.read_whole(path, name) if name in keys else None for name in ("factors", "factor_names"))
    if rows is None:
        raise ValueError(f"{path} has no `images`, only {', '.join(keys) or 'nothing'}. Make it with {HOW_TO_MAKE}.")
    where = f"images in {path}"
    shape = check_shape(list(rows.shape), rows.dtype, where)
    if math.prod(shape[1:]) * rows.dtype.itemsize > MAX_IMAGE_BYTES:
        raise ValueError(
            f"{where} are too large: shape {list(rows.shape)}, of which one image has more than "
            f"{MAX_IMAGE_BYTES:,} bytes."
        )
    read = errors_as(DAMAGE_ERRORS, lambda error: ValueError(f"{damaged}: {error}."))(rows.read)
    known = None if factors is None else labels.from_array(factors, names, len(rows), str(path))
    return array_source(ImageArray(where, shape, rows.dtype, read), settings, known, in_order=True)


DATASET = DatasetDefinition(settings=NpzSettings, build=build, files=files, source=source, version=2)
