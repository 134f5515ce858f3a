"""folder: every image file below a folder, as RGB squares. No factors are known."""

import logging
import os
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pydantic import Field
from rich.console import Console
from rich.progress import track

from unweave.data.store import Stored, middle
from unweave.dataset import Card
from unweave.settings import Frozen, SettingsError
from unweave.tables import Pixels

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MEMORY = 2 << 30  # bytes of decoded images; a larger set lies in a temporary file and is mapped
MANY = 500  # files from which progress is shown

logger = logging.getLogger("unweave")


class Settings(Frozen):
    path: Path
    size: int = Field(default=64, ge=8)  # pixels; the middle square of each image is resized to it


def build(settings: Settings) -> Stored:
    """Rows are in the order of the relative paths. A file that cannot be read is named in a warning and left out.

    Raises SettingsError where there is no such folder, ValueError where it holds no readable image.
    """
    path = settings.path.expanduser()
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise SettingsError(f"data.path: {path} {what}; expected a folder of images.")
    files = found(path)
    if not files:
        raise ValueError(f"there is no image in {path} or below it; looked for {', '.join(ENDINGS)}.")
    pixels, good = decoded(files, settings.size)
    card = Card(title=path.name, source=path.name, licence="unknown to unweave: see where the images come from")
    dataset = Stored(path.resolve().name, pixels, None, card)
    dataset.files = tuple(files[i].relative_to(path).as_posix() for i in good)
    return dataset


def found(path: Path) -> list[Path]:
    """The image files below a folder, sorted by relative path; hidden ones are left out."""
    files = [file.relative_to(path) for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file()]
    shown = [file for file in files if not any(part.startswith(".") for part in file.parts)]
    return [path / file for file in sorted(shown, key=Path.as_posix)]


def decoded(files: list[Path], size: int) -> tuple[Pixels, list[int]]:
    """The readable ones of these files, as size x size RGB, and which of the files they are."""
    pixels = _room((len(files), size, size, 3))

    def decode(i: int) -> tuple[int, int] | str:
        """The size of image i, which is now in `pixels`, or what is wrong with it."""
        try:
            with Image.open(files[i]) as image:
                before = image.size
                image.draft(None, (2 * size, 2 * size))  # large JPEGs: decode at no more than is needed
                pixels[i] = _array(image, (size, size), 3)
            return before
        except Exception as error:  # decoders of damaged files raise anything
            return f"{files[i]} cannot be read and is left out: {error}"

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = track(
            pool.map(decode, range(len(files))),
            "reading images",
            total=len(files),
            console=Console(stderr=True),
            disable=len(files) <= MANY,
            transient=True,
        )
        outcome = list(results)
    for problem in outcome:
        if isinstance(problem, str):
            logger.warning("%s", problem)
    good = [i for i, result in enumerate(outcome) if not isinstance(result, str)]
    if not good:
        raise ValueError(f"none of {len(files)} files could be read; the first: {outcome[0]}")
    if len(good) < len(files):
        logger.warning("%d of %d files could not be read and are left out", len(files) - len(good), len(files))
    sizes = Counter(outcome[i] for i in good)
    if len(sizes) > 1:
        logger.info("images are of %d sizes; all are cut to squares and resized to %d x %d", len(sizes), size, size)
    for target, source in enumerate(good):  # close the gaps in place
        if target != source:
            pixels[target] = pixels[source]
    return pixels[: len(good)], good


def _room(shape: tuple[int, ...]) -> Pixels:
    if np.prod(shape) <= MEMORY:
        return np.empty(shape, np.uint8)
    return np.memmap(tempfile.TemporaryFile(), np.uint8, "w+", shape=shape)


def read_image(path: Path, size: tuple[int, int] | None = None, channels: int = 3) -> Pixels:
    """One image file as [1, height, width, channels], its middle cut and resized to size = (height, width).

    Turned upright (EXIF), transparency over white, 16-bit greys to 8 bits. None keeps the size; channels are 1 or 3.
    Raises ValueError that names the file where it is missing or unreadable.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels}.")
    try:
        with Image.open(path) as image:
            return _array(image, size, channels)[None]
    except Exception as error:  # decoders of damaged files raise anything
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def _array(image: Image.Image, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """[height, width, channels] uint8."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise ValueError("its pixels are floats of an unknown range; save it with 8 or 16 bits per channel")
    if upright.mode.startswith("I"):  # 16 bits, which Pillow would clip to 8
        wide = np.asarray(upright).astype(np.float64)
        upright = Image.fromarray(np.clip(np.round(wide / 257), 0, 255).astype(np.uint8))
    if upright.has_transparency_data:
        above = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    plain = upright.convert("RGB" if channels == 3 else "L")
    if size is not None and (plain.height, plain.width) != size:
        box = middle((plain.height, plain.width), size)
        plain = plain.resize(size[::-1], Image.Resampling.LANCZOS, box=box)
    return np.array(plain).reshape(plain.height, plain.width, channels)
