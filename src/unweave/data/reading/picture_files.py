"""Files of pictures -> a source for the cache: what their channels and range are, and which rows each file gives."""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from statistics import median_low
from typing import NamedTuple, TypeVar

import numpy as np

from unweave.config import SettingsError
from unweave.data.dataset import Card
from unweave.data.reading.image_files import Box, ImageContent, ImagePixels, decode_image
from unweave.data.reading.image_source import ImageBlock, ImageSource, Labels, read_one_by_one
from unweave.data.reading.intensity import (
    LOOKED_AT,
    choose_range,
    evenly,
    given_range,
    sample_numbers,
    take_channels,
    to_size,
)
from unweave.data.reading.stored_pictures import (
    StoredPicture,
    StoredShape,
    read_stored,
    stored_shape,
    take_pages,
)
from unweave.data.settings import FileSettings, Reading
from unweave.foreign import errors_as

ANIMATED = (".gif", ".webp", ".png", ".apng", ".avif")  # whose pages are frames, of which the first counts
HEADERS = 1_000  # files, evenly chosen, whose headers say what channels and depth a set has

T = TypeVar("T")

logger = logging.getLogger(__name__)


class PictureFiles(NamedTuple):
    """Files of one kind of place, in order."""

    name: str
    card: Card
    total: int  # of them
    content: Callable[[int], ImageContent]  # of a file. Raises ValueError where it cannot be read
    say: Callable[[int], str]  # what a person calls it; it ends as the file's name does
    names: Sequence[str] = ()  # by which labels find them
    in_order: bool = False


class Row(NamedTuple):
    """The part of a file that is one image."""

    file: int
    page: int = 0
    box: Box | None = None


def picture_source(
    files: PictureFiles, settings: FileSettings, label: Callable[[Sequence[str]], Labels | None]
) -> ImageSource:
    """The source of these files; `label` gives the factors of files by their names.

    Raises ValueError where no picture can be read, SettingsError for settings that do not fit the pictures.
    """
    rows = _rows(files, settings)
    reading = choose_reading(files, settings)
    size = (settings.size, settings.size)
    channels = len(reading.range)

    @lru_cache(maxsize=1)
    def stored(file: int) -> np.ndarray:
        return read_stored(files.content(file))

    def image(number: int) -> ImagePixels:
        row = rows[number]
        if reading.bytes_as_stored and reading.fit == "crop" and row.box is None:
            return decode_image(files.content(row.file), size, channels)
        picture = take_pages(stored(row.file), reading.pages, row.page)
        return to_size(picture, reading, size, row.box)

    def read(start: int, stop: int) -> ImageBlock:
        return read_one_by_one(start, stop, (*size, channels), image, lambda number: files.say(rows[number].file))

    labels = label(files.names)
    if labels is not None and len(rows) != len(files.names):
        labels = labels._replace(classes=labels.classes[[row.file for row in rows]])
    names = [files.names[row.file] for row in rows]
    marked = [f"{name}#{row.page}" if reading.pages == "images" else name for name, row in zip(names, rows)]
    return ImageSource(
        name=files.name,
        card=files.card,
        shape=(channels, *size),
        count=len(rows),
        read=read,
        labels=labels,
        files=tuple(marked),
        boxes=np.array([row.box for row in rows], np.int64) if settings.patch else None,
        reading=reading,
        in_order=files.in_order,
    )


def read_picture(content: ImageContent, reading: Reading, size: tuple[int, int]) -> ImagePixels:
    """One picture as those of a set were read; of several pages that are images each, the first.

    Raises ValueError that names a file that cannot be read so.
    """
    name = content if isinstance(content, Path) else "a picture"
    with errors_as(ValueError, lambda error: ValueError(f"{name} cannot be read as an image: {error}")):
        if reading.bytes_as_stored and reading.fit == "crop":
            return decode_image(content, size, len(reading.range))
        return to_size(take_pages(read_stored(content), reading.pages), reading, size)


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture that `read_picture` reads."""
    shape = stored_shape(path)
    return shape.height, shape.width


def choose_reading(files: PictureFiles, settings: FileSettings) -> Reading:
    """Channels and range of a set, from headers and pixels of files that are evenly chosen."""
    headers = _readable(files, HEADERS, stored_shape)
    shapes = list(headers.values())
    several = max(
        (shape.pages for number, shape in headers.items() if not files.say(number).lower().endswith(ANIMATED)),
        default=1,
    )
    if settings.pages == "auto" and several > 1:
        logger.warning(
            "files of %s have up to %d pages, of which the first is taken: data.pages=images, channels, max, mean or "
            "numbers take others",
            *(files.name, several),
        )
    channels = settings.channels if settings.channels != "auto" else _channels(shapes, settings)
    side = settings.patch or median_low([min(shape.height, shape.width) for shape in shapes])
    reading = Reading(channels=channels, pages=settings.pages, range=((0, 255),), fit=settings.fit, side=side)
    some_of_8_bits = not all(shape.deep for shape in shapes)
    count = len(channels) if isinstance(channels, tuple) else {"grey": 1, "rgb": 3}[channels]
    if some_of_8_bits and settings.range in ("auto", "full") and channels in ("grey", "rgb"):
        return reading.model_copy(update={"range": ((0.0, 255.0),) * count})
    with errors_as(ValueError, lambda error: SettingsError(f"{files.name}: {error}")):
        if not isinstance(settings.range, str):
            return reading.model_copy(update={"range": given_range(settings.range, count)})
        pictures = _pictures(files, reading)
        numbers = sample_numbers(pictures)
        return reading.model_copy(update={"range": choose_range(settings, numbers, pictures[0].dtype)})


def _channels(shapes: Sequence[StoredShape], settings: FileSettings) -> str | tuple[int, ...]:
    """As most pictures have them; grey only where all are."""
    counts = [
        shape.channels * (shape.pages if settings.pages == "channels" else 1)
        if isinstance(settings.pages, str)
        else shape.channels * len(settings.pages)
        for shape in shapes
    ]
    if set(counts) <= {1, 3}:
        return "grey" if set(counts) == {1} else "rgb"
    return tuple(range(max(set(counts), key=counts.count)))


def _readable(files: PictureFiles, most: int, read: Callable[[ImageContent], T]) -> dict[int, T]:
    """What `read` makes of files, evenly chosen, that can be read, by number. Raises ValueError where none can."""
    results: dict[int, T] = {}
    reason = ""
    for number in evenly(files.total, most, files.in_order):
        try:
            results[number] = read(files.content(number))
        except (ValueError, OSError) as error:
            reason = reason or f"{files.say(number)}: {error}"
    if not results:
        raise ValueError(f"none of {files.total} files could be read; the first: {reason}")
    return results


def _pictures(files: PictureFiles, reading: Reading) -> list[StoredPicture]:
    """Of files that are evenly chosen and can be read, the chosen channels; those of the most frequent depth."""

    def taken(content: ImageContent) -> list[StoredPicture]:
        pages = read_stored(content)
        many = range(len(pages)) if reading.pages == "images" else (0,)
        return [take_channels(take_pages(pages, reading.pages, page), reading.channels) for page in many]

    pictures = list(chain.from_iterable(_readable(files, LOOKED_AT, taken).values()))
    kinds = [picture.dtype for picture in pictures]
    return [picture for picture in pictures if picture.dtype == max(set(kinds), key=kinds.count)]


def _rows(files: PictureFiles, settings: FileSettings) -> list[Row]:
    """One for each file, or for each of its pages and tiles. Raises SettingsError where no tile fits."""
    whole = [Row(file) for file in range(len(files.names))]
    if settings.patch is None and settings.pages != "images":
        return whole
    rows = []
    for file in range(len(files.names)):
        try:
            shape = stored_shape(files.content(file))
        except (ValueError, OSError):  # named when it is read
            rows.append(
                Row(
                    file,
                    box=None if settings.patch is None else (0.0, 0.0, float(settings.patch), float(settings.patch)),
                )
            )
            continue
        pages = range(shape.pages if settings.pages == "images" else 1)
        boxes = tile_boxes(shape.height, shape.width, settings.patch)
        rows += [Row(file, page, box) for page in pages for box in boxes]
    if not rows:
        raise SettingsError(f"data.patch={settings.patch}: every picture of {files.name} is smaller.")
    return rows


def tile_boxes(height: int, width: int, side: int | None) -> list[Box | None]:
    """Squares of this side beside each other, from the top left, as many as fit; one of the whole where it is None."""
    if side is None:
        return [None]
    return [
        (float(left), float(top), float(left + side), float(top + side))
        for top in range(0, height - side + 1, side)
        for left in range(0, width - side + 1, side)
    ]
