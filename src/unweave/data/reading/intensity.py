"""From the numbers of pictures to pixels 0 .. 255: channels, black and white, proportions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Num, UInt8
from PIL import Image

from unweave.data.reading.image_files import Box, middle_box
from unweave.data.reading.stored_pictures import StoredPicture
from unweave.data.settings import Bounds, Fit, PictureSettings, Reading

LOOKED_AT = 500  # pictures, evenly chosen, from which a range is taken
NUMBERS = 1 << 22  # of them all that are kept, drawn at random
TAILS = (0.0001, 0.9999)  # quantiles that are black and white
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, Rec. 601

Sampled = Float[np.ndarray, "number channel"]


def take_channels(picture: StoredPicture, channels: str | Sequence[int]) -> Num[np.ndarray, "height width taken"]:
    """The wanted channels of a picture. Raises ValueError where it has no such ones."""
    count = picture.shape[2]
    if isinstance(channels, str):
        wanted = 1 if channels == "grey" else 3
        if count == wanted:
            return picture
        if count == 1:
            return np.repeat(picture, 3, axis=2)
        if count == 3:
            grey = (picture @ np.array(LUMINANCE, np.float32))[..., None]
            return grey if picture.dtype.kind == "f" else grey.round().astype(picture.dtype)
        raise ValueError(f"it has {count} channels, so data.channels={channels} cannot be: name them, as 0,1")
    if max(channels) >= count:
        raise ValueError(f"data.channels={max(channels)}: it has {count} channels, counted from 0")
    return picture[..., list(channels)]


def evenly(count: int, most: int, in_order: bool) -> list[int]:
    """At most so many numbers of 0 .. count - 1: from the first to the last, or the first of what is read in order."""
    if in_order:
        return list(range(min(count, most)))
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def sample_numbers(pictures: Sequence[StoredPicture]) -> Sampled:
    """Numbers of every channel, drawn at random, as many of each picture; pictures with NaN or infinity are left out.

    Raises ValueError where none is left.
    """
    rng = np.random.default_rng(0)
    each = max(1, NUMBERS // max(1, len(pictures)) // pictures[0].shape[2])
    parts = []
    for picture in pictures:
        numbers = picture.reshape(-1, picture.shape[2])
        if len(numbers) > each:
            numbers = numbers[rng.choice(len(numbers), each, replace=False)]
        if picture.dtype.kind != "f" or np.isfinite(numbers).all():
            parts.append(numbers.astype(np.float64))
    if not parts:
        raise ValueError("every picture that was looked at has numbers that are NaN or infinite.")
    return np.concatenate(parts)


def choose_range(wanted: PictureSettings, numbers: Sampled, dtype: np.dtype) -> tuple[Bounds, ...]:
    """Black and white of each channel (see `PictureSettings.range`). Raises ValueError for a range that cannot be."""
    channels, setting = numbers.shape[1], wanted.range
    if not isinstance(setting, str):
        return given_range(setting, channels)
    low, high = np.quantile(numbers, TAILS, axis=0)
    full = full_range(dtype, float(numbers.min()), float(numbers.max()))
    if setting == "full" and full is None:
        raise ValueError(f"data.range=full: {dtype} has no full range outside -1 .. 1; give data.range=LOW,HIGH.")
    half_used = full is not None and (high.max() - low.min() >= (full[1] - full[0]) / 2 or dtype.itemsize == 1)
    if full is not None and (setting == "full" or (setting == "auto" and half_used)):
        return (full,) * channels
    return tuple((float(a), float(b)) if b > a else (float(a), float(a) + 1) for a, b in zip(low, high))


def given_range(setting: Bounds | tuple[Bounds, ...], channels: int) -> tuple[Bounds, ...]:
    """One pair for every channel, or theirs. Raises ValueError for another number of pairs."""
    pairs: Any = [setting] * channels if isinstance(setting[0], float) else setting
    if len(pairs) != channels:
        raise ValueError(f"data.range has {len(pairs)} pairs for {channels} channels: give one, or one for each.")
    return tuple(pairs)


def full_range(dtype: np.dtype, lowest: float, highest: float) -> Bounds | None:
    """All that a type can say; of floats, and integers of 32 bits, 0 .. 255 where the numbers are bytes; of floats also
    0 .. 1 and -1 .. 1, and else None."""
    if dtype.kind == "b":
        return (0.0, 1.0)
    if (dtype.kind == "f" or dtype.itemsize > 2) and lowest >= 0 and 1 < highest <= 255:
        return (0.0, 255.0)
    if dtype.kind in "iu":
        return (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    if lowest >= 0 and highest <= 1:
        return (0.0, 1.0)
    return (-1.0, 1.0) if lowest >= -1 and highest <= 1 else None


def to_size(
    picture: StoredPicture, reading: Reading, size: tuple[int, int] | None, box: Box | None = None
) -> UInt8[np.ndarray, "new_height new_width taken"]:
    """The pixels of a picture, its `box` (if None, what `reading.fit` takes of it) at size = (height, width).

    Raises ValueError where it has other channels than the reading, or numbers that are NaN or infinite.
    """
    numbers = take_channels(picture, reading.channels)
    if numbers.shape[2] != len(reading.range):
        raise ValueError(f"it has {numbers.shape[2]} channels where the others have {len(reading.range)}")
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        raise ValueError("it has numbers that are NaN or infinite")
    exact = numbers.dtype == np.uint8 and all(bounds == (0, 255) for bounds in reading.range)
    scaled = numbers if exact else _scale(numbers, reading.range)
    if size is not None and (box is not None or scaled.shape[:2] != size):
        scaled = _resize(scaled, size, reading.fit, box)
    elif box is not None:
        left, top, right, bottom = map(int, box)
        scaled = scaled[top:bottom, left:right]
    return scaled if exact else np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _scale(numbers: StoredPicture, bounds: Sequence[Bounds]) -> Float[np.ndarray, "height width channel"]:
    low, high = np.array(bounds, np.float64).T
    exact = np.float32 if numbers.dtype.itemsize <= 2 else np.float64
    scaled = np.subtract(numbers, low, dtype=exact)
    np.multiply(scaled, 255 / (high - low), out=scaled, casting="same_kind")
    return np.clip(scaled, 0, 255, out=scaled).astype(np.float32, copy=False)


def _resize(
    numbers: Num[np.ndarray, "height width channel"], size: tuple[int, int], fit: Fit, box: Box | None
) -> Num[np.ndarray, "new_height new_width channel"]:
    """Antialiased (Lanczos), channel by channel."""
    shape = numbers.shape[:2]
    target = size
    if box is None:
        box = middle_box(shape, size) if fit == "crop" else (0, 0, shape[1], shape[0])
        if fit == "pad":
            scale = min(size[0] / shape[0], size[1] / shape[1])
            target = (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)))
    result = np.zeros((*size, numbers.shape[2]), numbers.dtype)
    top, left = (size[0] - target[0]) // 2, (size[1] - target[1]) // 2
    for channel in range(numbers.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(numbers[..., channel]))
        resized = plane.resize(target[::-1], Image.Resampling.LANCZOS, box=box)
        result[top : top + target[0], left : left + target[1], channel] = np.asarray(resized)
    return result
