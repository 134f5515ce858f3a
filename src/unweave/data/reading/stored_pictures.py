"""Pictures as they are stored: any depth, any number of channels, several pages. What 8 bits hold is in image_files.

Pillow reads what it knows; TIFF with channels, pages or a depth that it does not know is read by tifffile.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Num
from PIL import Image, ImageFile

from unweave.data.reading.image_files import (
    IMAGE_FORMATS,
    ImageContent,
    image_stream,
    naming_reason,
    to_picture,
)
from unweave.data.settings import MAX_CHANNELS
from unweave.foreign import load

StoredPicture = Num[np.ndarray, "height width channel"]
"""One picture in numbers of any type."""

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
GREY_MODES = ("1", "L", "LA", "La")
DEEP_MODES = ("F", "I")  # and what begins so, as I;16
BITS_PER_SAMPLE, SAMPLE_FORMAT = 258, 339  # tags of TIFF
MAX_NUMBERS = 1 << 29  # of one file: more are not read


class StoredShape(NamedTuple):
    """What the header of a file says."""

    height: int
    width: int
    channels: int
    pages: int
    deep: bool  # other numbers than 0 .. 255


def stored_shape(content: ImageContent) -> StoredShape:
    """Size, channels, pages and depth of a picture, of which only the header is read. Raises ValueError."""
    return naming_reason(_header, content)


def read_stored(content: ImageContent) -> Num[np.ndarray, "page height width channel"]:
    """All pages of a picture. Those of 8 bits are upright, over white and in sRGB. Raises ValueError."""
    return naming_reason(_pages, content)


def _is_tiff(content: ImageContent) -> bool:
    if isinstance(content, bytes):
        return content[:4] in TIFF_STARTS
    with content.open("rb") as file:
        return file.read(4) in TIFF_STARTS


def _has_deep_colours(image: ImageFile.ImageFile) -> bool:
    """Whether an image that is open is a PNG of 16 bits in each of three colours, of which Pillow keeps 8."""
    return image.format == "PNG" and any(tile.args in ("RGB;16B", "RGBA;16B") for tile in image.tile)


def _deep_png(content: ImageContent) -> StoredPicture:
    """All 16 bits, over white where there is alpha."""
    codecs = load("imagecodecs", "its 16 bits in each colour need", "science")
    numbers = codecs.png_decode(content if isinstance(content, bytes) else content.read_bytes())
    if numbers.shape[2] == 3:
        return numbers
    white = 65535.0
    alpha = numbers[..., 3:] / white
    return np.rint(numbers[..., :3] * alpha + white * (1 - alpha)).astype(np.uint16)


def _header(content: ImageContent) -> StoredShape:
    if _needs_tifffile(content):
        with _logged_errors_raised(), _open_tiff(content) as tiff:
            series = _series(tiff)
            sides = dict(zip(series.axes, series.shape))
            channels = sides.get("C", 1) * min(sides.get("S", 1), 3)
            pages = int(np.prod([length for axis, length in sides.items() if axis not in "YXCS"]))
            return StoredShape(sides["Y"], sides["X"], channels, pages, series.dtype != np.uint8)
    with Image.open(image_stream(content), formats=IMAGE_FORMATS) as image:
        if _has_deep_colours(image):
            return StoredShape(image.height, image.width, 3, 1, True)
        turned = image.getexif().get(0x0112, 1) >= 5  # EXIF: lies on its side
        height, width = (image.width, image.height) if turned else (image.height, image.width)
        deep = image.mode.startswith(DEEP_MODES)
        grey = deep or image.mode in GREY_MODES
        return StoredShape(height, width, 1 if grey else 3, getattr(image, "n_frames", 1), deep)


def _pages(content: ImageContent) -> Num[np.ndarray, "page height width channel"]:
    if _needs_tifffile(content):
        with _logged_errors_raised(), _open_tiff(content) as tiff:
            return _tiff_pages(tiff)
    with Image.open(image_stream(content), formats=IMAGE_FORMATS) as image:
        if _has_deep_colours(image):
            return _deep_png(content)[None]
        pages = []
        for page in range(getattr(image, "n_frames", 1)):
            image.seek(page)
            pages.append(_pillow_page(image))
        return np.stack(pages)


def _pillow_page(image: Image.Image) -> StoredPicture:
    if image.mode.startswith(DEEP_MODES):
        return np.asarray(image)[..., None]
    grey = image.mode in GREY_MODES
    return to_picture(image, None, 1 if grey else 3)


def _needs_tifffile(content: ImageContent) -> bool:
    """Whether a file is a TIFF of several pages, of a depth or of channels that Pillow does not keep."""
    if not _is_tiff(content):
        return False
    try:
        with Image.open(image_stream(content), formats=("TIFF",)) as image:
            tags, mode = image.tag_v2, image.mode  # type: ignore[attr-defined]
            bits, unsigned = max(tags.get(BITS_PER_SAMPLE, (1,))), tags.get(SAMPLE_FORMAT, (1,)) == (1,)
            kept = bits <= 8 or (mode.startswith(DEEP_MODES) and not (bits > 16 and unsigned))
            return getattr(image, "n_frames", 1) > 1 or not kept
    except Exception:  # of a kind that Pillow does not know
        return True


def _open_tiff(content: ImageContent) -> Any:
    tifffile = load("tifffile", "its channels, pages or depth need", "science")
    return tifffile.TiffFile(image_stream(content), _multifile=False)


@contextmanager
def _logged_errors_raised() -> Iterator[None]:
    """What tifffile only logs of a damaged file is a ValueError."""
    errors: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            errors.append(record.getMessage())
        return False

    tifffile_logger = logging.getLogger("tifffile")
    tifffile_logger.addFilter(collect)
    try:
        yield
    finally:
        tifffile_logger.removeFilter(collect)
    if errors:
        raise ValueError(f"it is damaged or cut short: {errors[0]}")


def _series(tiff: Any) -> Any:
    """The first series of pages. Raises ValueError for one that is no picture, or too large."""
    if not tiff.series:
        raise ValueError("it holds no picture")
    series = tiff.series[0]
    if not {"Y", "X"} <= set(series.axes):
        raise ValueError(f"its axes {series.axes} are no picture: there must be Y and X")
    if int(np.prod([float(side) for side in series.shape])) > MAX_NUMBERS:
        raise ValueError(f"its shape {list(series.shape)} has more than {MAX_NUMBERS:,} numbers")
    ends = [sum(part) for page in series.pages if page for part in zip(page.dataoffsets, page.databytecounts)]
    if max([*ends, (series.dataoffset or 0) + (series.nbytes if series.dataoffset else 0)]) > tiff.filehandle.size:
        raise ValueError(f"it is cut short: it has {tiff.filehandle.size:,} bytes")
    return series


def _tiff_pages(tiff: Any) -> Num[np.ndarray, "page height width channel"]:
    import tifffile

    series = _series(tiff)
    numbers, axes = series.asarray(), series.axes
    numbers = numbers.reshape(series.shape)
    if "S" in axes and series.keyframe.photometric == tifffile.PHOTOMETRIC.RGB:  # a fourth sample is alpha
        numbers = np.take(numbers, range(min(3, numbers.shape[axes.index("S")])), axis=axes.index("S"))
    if series.keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE and numbers.dtype.kind == "u":
        numbers = np.iinfo(numbers.dtype).max - numbers
    order = [i for i, axis in enumerate(axes) if axis not in "YXCS"]
    order += [axes.index(axis) for axis in "YXCS" if axis in axes]
    moved = numbers.transpose(order)
    height, width = (numbers.shape[axes.index(axis)] for axis in "YX")
    channels = int(np.prod([numbers.shape[axes.index(axis)] for axis in "CS" if axis in axes]))
    return moved.reshape(-1, height, width, channels)


def take_pages(
    pages: Num[np.ndarray, "page height width channel"], chosen: str | tuple[int, ...], page: int = 0
) -> Num[np.ndarray, "height width taken"]:
    """One picture of all pages (see `FileSettings.pages`); `page` is the one to take where each is an image.

    Raises ValueError for a page that is not there, and for more channels than 64.
    """
    if chosen in ("auto", "images"):
        return pages[page]
    if chosen == "max":
        return pages.max(axis=0)
    if chosen == "mean":
        return pages.mean(axis=0, dtype=np.float32)
    numbers = range(len(pages)) if isinstance(chosen, str) else chosen
    if max(numbers) >= len(pages):
        raise ValueError(f"data.pages={max(numbers)}: it has {len(pages)} pages, counted from 0")
    channels = np.concatenate([pages[number] for number in numbers], axis=-1)
    if channels.shape[-1] > MAX_CHANNELS:
        raise ValueError(f"it has {channels.shape[-1]} channels, more than {MAX_CHANNELS}")
    return channels
