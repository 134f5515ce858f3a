"""npz: any .npz with `images`, and where factors are known `factors` and `factor_names`; or an .npy of images.

`images` is uint8 [N, H, W, C] with one or three channels, or [N, H, W] grey; `factors` is [N, F]
integers of any values; `factor_names` is [F] strings. Other arrays in the file are not read.
"""

import math
from pathlib import Path

import numpy as np
from pydantic import Field

from unweave.config import Frozen
from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset
from unweave.data.reading import labels, npy
from unweave.data.reading.image_source import ImageBlock, ImageSource, existing_file, resize_source

CHILD_PROCESS_ONLY = False
MAKE = "np.savez(path, images=images), where images is uint8 [N, H, W, C]"
LARGEST = 256 << 20  # bytes of one image
LOOKED_AT = 1 << 22  # numbers that are looked at to say how to convert them


class Settings(Frozen):
    path: Path
    size: int | None = Field(
        default=None, ge=8, description="pixels; the middle square is resized to it. None: as stored"
    )


def build(settings: Settings) -> Dataset:
    """Raises SettingsError where there is no such file, ValueError where its content cannot be used."""
    return cache.open_cached("npz", settings)


def files(settings: Settings) -> list[Path]:
    return [existing_file(settings.path, "an .npz file")]


def source(settings: Settings) -> ImageSource:
    path = files(settings)[0]
    try:
        alone = path.suffix.lower() == ".npy"
        known = ["images"] if alone else npy.array_names(path)
        rows = npy.ArrayRows(path, None if alone else "images") if "images" in known else None
        factors, names = (npy.read_whole(path, name) if name in known else None for name in ("factors", "factor_names"))
    except npy.DAMAGE_ERRORS as error:
        raise ValueError(
            f"{path} cannot be read as {path.suffix.lower()}, or is cut short: {error}. Make it with {MAKE}."
        ) from error
    if rows is None:
        raise ValueError(f"{path} has no `images`, only {', '.join(known) or 'nothing'}. Make it with {MAKE}.")
    height, width, channels = _shape(rows, path)

    def read(start: int, stop: int) -> ImageBlock:
        try:
            images = rows.read(start, stop)
        except npy.DAMAGE_ERRORS as error:
            raise ValueError(f"{path} cannot be read as .npz, or is cut short: {error}.") from error
        return ImageBlock(images.reshape(stop - start, height, width, channels))

    stored = ImageSource(
        name=path.stem,
        card=Card(title=path.stem, source=path.name, licence="unknown to unweave: see where the file comes from"),
        shape=(channels, height, width),
        count=len(rows),
        read=read,
        labels=None if factors is None else labels.from_array(factors, names, len(rows), str(path)),
        in_order=True,
    )
    return resize_source(stored, settings.size)


def _shape(rows: npy.ArrayRows, path: Path) -> tuple[int, int, int]:
    """Height, width and channels. Raises ValueError where the array holds no images."""
    where, shape = f"images in {path}", list(rows.shape)
    if len(shape) not in (3, 4):
        raise ValueError(f"{where} must be [N, H, W, C] or [N, H, W], got shape {shape}.")
    if 0 in shape:
        raise ValueError(f"{where} hold no image: their shape is {shape}.")
    if math.prod(shape[1:]) * rows.dtype.itemsize > LARGEST:
        raise ValueError(f"{where} are too large: shape {shape}, of which one image has more than {LARGEST:,} bytes.")
    if rows.dtype != np.uint8:
        count = max(1, min(len(rows), LOOKED_AT // int(np.prod(shape[1:]))))
        raise ValueError(f"{where} must be uint8 (0..255), {remedy(rows.read(0, count))}.")
    channels = shape[3] if len(shape) == 4 else 1
    if channels == 4:
        raise ValueError(f"{where} have 4 channels, the last is probably alpha; store images[..., :3].")
    if channels not in (1, 3):
        first = "; they look channels-first: store images.transpose(0, 2, 3, 1)" if shape[1] in (1, 3) else ""
        raise ValueError(f"{where} must have 1 or 3 channels last, got shape {shape}{first}.")
    return shape[1], shape[2], channels


def remedy(images: np.ndarray) -> str:
    """What was got in place of uint8, and how to convert it."""
    if images.dtype == bool:
        return "got bool; store images.astype(np.uint8) * 255"
    if np.issubdtype(images.dtype, np.floating):
        bad = ~np.isfinite(images.reshape(len(images), -1)).all(axis=1)
        if bad.any():
            return f"got {images.dtype} with NaN or infinite pixels in {bad.sum()} images (the first is {bad.argmax()})"
        low, high = images.min(), images.max()
        range_ = f"got {images.dtype} in [{low:g}, {high:g}]"
        if low >= 0 and high <= 1:
            return f"{range_}; store (images * 255).round().astype(np.uint8)"
        if low >= -1 and high <= 1:
            return f"{range_}; store ((images + 1) * 127.5).round().astype(np.uint8)"
        if low >= 0 and high <= 255:
            return f"{range_}; store images.round().astype(np.uint8)"
        return f"{range_}; scale them to 0..255, then .round().astype(np.uint8)"
    if np.issubdtype(images.dtype, np.integer) and images.min() >= 0 and images.max() <= 255:
        return f"got {images.dtype}; store images.astype(np.uint8)"
    return f"got {images.dtype}; scale them to 0..255, then .astype(np.uint8)"
