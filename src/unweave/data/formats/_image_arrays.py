"""Images in one array, [N, H, W, C] or [N, H, W] of any numbers, as a source for the cache."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from pydantic import Field

from unweave.config import SettingsError
from unweave.data.dataset import Card
from unweave.data.reading.image_files import resize_pixels
from unweave.data.reading.image_source import ImageBlock, ImageSource, Labels
from unweave.data.reading.intensity import (
    LOOKED_AT,
    NUMBERS,
    choose_range,
    evenly,
    sample_numbers,
    take_channels,
    to_size,
)
from unweave.data.settings import MAX_CHANNELS, PictureSettings, Reading
from unweave.foreign import errors_as

READ_BYTES = 16 << 20  # of images that are read at once


class ArraySettings(PictureSettings):
    """The base of the settings of files, and folders, of arrays."""

    path: Path
    size: int | None = Field(
        default=None, ge=8, description="pixels; the middle square is resized to it. None: as stored"
    )


@dataclass(frozen=True)
class ImageArray:
    """An array of images on disk; `read` gives rows start .. stop - 1, with or without an axis of channels."""

    where: str
    shape: tuple[int, int, int, int]  # rows, height, width, channels
    dtype: np.dtype
    read: Callable[[int, int], np.ndarray]

    def rows(self, start: int, stop: int) -> Num[np.ndarray, "rows height width channel"]:
        images = self.read(start, stop).reshape(stop - start, *self.shape[1:])
        return images.astype(np.uint8) if images.dtype == bool else images


def check_shape(shape: list[int], dtype: np.dtype, where: str) -> tuple[int, int, int, int]:
    """Rows, height, width, channels. Raises ValueError where an array of this kind holds no images."""
    if len(shape) not in (3, 4):
        raise ValueError(f"{where} must be [N, H, W, C] or [N, H, W], got shape {shape}.")
    if 0 in shape:
        raise ValueError(f"{where} hold no image: their shape is {shape}.")
    if dtype.kind not in "uifb":
        raise ValueError(f"{where} must be numbers, got {dtype}.")
    rows, height, width = shape[:3]
    channels = shape[3] if len(shape) == 4 else 1
    first = len(shape) == 4 and width == channels != height
    if channels > MAX_CHANNELS or first or (height in (1, 3) and channels > 4):
        hint = "; they look channels-first: store images.transpose(0, 2, 3, 1)" if height <= MAX_CHANNELS else ""
        raise ValueError(f"{where} must have 1 to {MAX_CHANNELS} channels last, got shape {shape}{hint}.")
    return rows, height, width, channels


def choose_array_reading(array: ImageArray, settings: PictureSettings, in_order: bool = False) -> Reading:
    """Channels and range of an array, from rows that are evenly chosen. Raises SettingsError for what does not fit."""
    rows, height, width, stored = array.shape
    if settings.channels == "auto" and stored == 4 and array.dtype == np.uint8:
        raise ValueError(
            f"{array.where} have 4 channels, the last is probably alpha: data.channels=rgb leaves it out, "
            "data.channels=0,1,2,3 takes it as one of the picture's."
        )
    named = {1: "grey", 3: "rgb"}.get(stored, tuple(range(stored)))
    channels: Any = named if settings.channels == "auto" else settings.channels
    if channels == "rgb" and stored == 4:
        channels = (0, 1, 2)
    count = len(channels) if isinstance(channels, tuple) else {"grey": 1, "rgb": 3}[channels]
    if isinstance(channels, tuple) and max(channels) >= stored:
        raise SettingsError(f"data.channels={max(channels)}: it has {stored} channels, counted from 0.")
    reading = Reading(channels=channels, range=((0.0, 255.0),) * count)
    if array.dtype == np.uint8 and settings.range in ("auto", "full"):
        return reading
    numbers = evenly(rows, max(1, min(LOOKED_AT, NUMBERS // (height * width * stored))), in_order)
    with errors_as(ValueError, lambda error: SettingsError(f"{array.where}: {error}")):
        pictures = [take_channels(array.rows(row, row + 1)[0], reading.channels) for row in numbers]
        bounds = choose_range(settings, sample_numbers(pictures), array.dtype)
    return reading.model_copy(update={"range": bounds})


def array_source(
    array: ImageArray, settings: ArraySettings, labels: Labels | None, in_order: bool = False
) -> ImageSource:
    """The source of an array in the file, or folder, of these settings. Raises SettingsError for what does not fit."""
    reading = choose_array_reading(array, settings, in_order)
    size = (settings.size or array.shape[1], settings.size or array.shape[2])
    path = settings.path
    return ImageSource(
        name=path.stem,
        card=Card(title=path.stem, source=path.name, licence="unknown to unweave: see where the file comes from"),
        shape=(len(reading.range), *size),
        count=array.shape[0],
        read=array_reader(array, reading, size),
        labels=labels,
        reading=reading,
        in_order=in_order,
    )


def array_reader(array: ImageArray, reading: Reading, size: tuple[int, int]) -> Callable[[int, int], ImageBlock]:
    """What reads rows as pixels of this size, their middle; rows with NaN or infinity are bad."""
    _, height, width, stored = array.shape
    step = max(1, READ_BYTES // (height * width * stored * array.dtype.itemsize))
    plain = array.dtype == np.uint8 and reading.bytes_as_stored and stored == len(reading.range)

    def read(start: int, stop: int) -> ImageBlock:
        pixels = np.zeros((stop - start, *size, len(reading.range)), np.uint8)
        bad: dict[int, str] = {}
        for first in range(start, stop, step):
            block = array.rows(first, min(first + step, stop))
            if plain:
                pixels[first - start : first - start + len(block)] = resize_pixels(block, size)
                continue
            for row, picture in enumerate(block, first):
                try:
                    pixels[row - start] = to_size(picture, reading, size)
                except ValueError as error:
                    bad[row] = f"row {row} of {array.where} is left out: {error}"
        return ImageBlock(pixels, bad)

    return read
