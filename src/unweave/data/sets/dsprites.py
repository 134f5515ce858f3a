"""dsprites: dSprites (Matthey et al., 2017): 737,280 pictures of one white shape on black, five known factors.

Reads the original .npz (`imgs`, `latents_classes`; the pickled `metadata` is never touched) or the original .hdf5
(`imgs`, `latents/classes`), and checks the order of all rows. The sixth published factor, colour, has one class and is
left out.

Two of disentanglement_lib's variants are made from the cached pictures on the fly: "colour" multiplies the shape by
three numbers in [0.5, 1), "noisy" adds noise in [0, 1) to every channel and clips at 1. There the numbers are drawn
anew at each call; here they follow from the seed and the row, so that a row is always the same picture. "scream" is
left out: it needs a painting that is not part of the set.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8, UInt64
from pydantic import Field

from unweave.data.cache import cache
from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.download.published_files import RemoteFile, find_file
from unweave.data.factors import FactorGrid
from unweave.data.reading import published_arrays
from unweave.data.reading.image_source import ImageBlock, ImageSource, resize_source
from unweave.data.settings import PublishedSettings
from unweave.types import FactorTable, Pixels, Rows

GRID = FactorGrid(("shape", "scale", "orientation", "posX", "posY"), (3, 6, 40, 32, 32))
STEM = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64"
FILES = (f"{STEM}.npz", f"{STEM}.hdf5")
PAGE = "https://github.com/google-deepmind/dsprites-dataset"
VERSION = 1  # counts up when a variant gives other pictures

DOWNLOADS = (
    RemoteFile(
        file=f"{STEM}.hdf5",
        urls=(
            f"https://raw.githubusercontent.com/deepmind/dsprites-dataset/master/{STEM}.hdf5",
            f"https://github.com/deepmind/dsprites-dataset/blob/master/{STEM}.hdf5?raw=true",
        ),
        page=PAGE,
        sha256="729fa22e884c9c500e1f17415d580746b4c5894fbbb780a1319bbcfa39a745bb",
        bytes=28_024_106,
    ),
)
"""The .hdf5, because TensorFlow Datasets has its size and checksum."""

CARD = Card(
    title="dSprites",
    source=PAGE,
    licence="Apache-2.0",
    citation=(
        "Loic Matthey, Irina Higgins, Demis Hassabis and Alexander Lerchner, dSprites: Disentanglement testing "
        "Sprites dataset, 2017"
    ),
    notes=(
        "A complete grid, no noise. Orientations are ambiguous: classes 0 and 39 are one angle (0 and 360 degrees; "
        "issue 7 of the publishers' repository), a square looks nearly the same after 90 degrees (9.75 classes) and an "
        "ellipse after 180 (19.5 classes), so that no representation can tell all classes apart. Shapes: square, "
        "ellipse, heart. Small shapes are a few pixels: reconstructions that miss them have a low error."
    ),
)


class DSpritesSettings(PublishedSettings):
    name: Literal["dsprites"] = "dsprites"
    variant: Literal["plain", "colour", "noisy"] = Field(
        default="plain", description="plain: white on black; colour: a random colour for each row; noisy: RGB noise"
    )
    seed: int = Field(default=0, ge=0, lt=1 << 63, description="of the colours or the noise; plain has none")


def build(settings: DSpritesSettings) -> Dataset:
    """64 x 64, grey (plain) or RGB (colour, noisy), a complete grid in the published order.

    Raises SettingsError where the file is not found, ValueError where it is damaged or another one, ImportError where
    h5py is missing.
    """
    shared = DSpritesSettings(path=settings.path, size=settings.size)  # one copy on disk for all variants
    plain = cache.open_cached("dsprites", shared)
    return plain if settings.variant == "plain" else PaintedSprites(plain, settings.variant, settings.seed)


def files(settings: DSpritesSettings) -> list[Path]:
    return [find_file(settings.path, "dsprites", FILES)]


def source(settings: DSpritesSettings) -> ImageSource:
    path = files(settings)[0]
    arrays = published_arrays.open_arrays(path, ("imgs", "latents_classes", "latents/classes"))
    images = published_arrays.grid_images(arrays, "imgs", (64, 64), GRID, path)
    for key in ("latents_classes", "latents/classes"):
        if key in arrays:
            with_colour = FactorGrid(("color", *GRID.names), (1, *GRID.sizes))
            published_arrays.check_row_order(arrays[key], with_colour, f"{key} in {path}")

    def read(start: int, stop: int) -> ImageBlock:
        pixels = images.read(start, stop)[..., None]
        if pixels.max() > 1:
            raise ValueError(f"imgs in {path} must be 0 or 1, got {pixels.max()}: it is not the published file.")
        return ImageBlock(pixels * np.uint8(255))

    return resize_source(
        ImageSource(
            name="dsprites", card=CARD, shape=(1, 64, 64), count=len(GRID), read=read, labels=GRID, in_order=True
        ),
        settings.size,
    )


Grey = UInt8[np.ndarray, "rows height width 1"]
"""0 or 255, and between them where it was resized."""

RandomNumbers = UInt64[np.ndarray, "rows numbers"]
"""Independent, uniform 64-bit numbers for each row."""


class PaintedSprites(Dataset):
    """dSprites in colour or with noise, made when asked for: no memory and no disk of its own."""

    def __init__(self, plain: Dataset, variant: Literal["colour", "noisy"], seed: int) -> None:
        _, height, width = plain.shape
        self.name, self.shape, self.card = f"dsprites_{variant}", (3, height, width), plain.card
        self.factor_names, self.factor_sizes, self.splits = plain.factor_names, plain.factor_sizes, plain.splits
        self._plain, self._paint, self._seed = plain, VARIANTS[variant], seed

    def __len__(self) -> int:
        return len(self._plain)

    def images(self, rows: Rows) -> Pixels:
        return self._paint(self._plain.images(rows), rows, self._seed)

    def factors(self, rows: Rows) -> FactorTable | None:
        return self._plain.factors(rows)

    def digest(self) -> str:
        recipe = f"{self._plain.digest()} {self.name} {self._seed} {VERSION}"
        return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def coloured(grey: Grey, rows: Rows, seed: int) -> Pixels:
    """The shape in one colour for each row, its channels uniform in [0.5, 1) of full light."""
    uniform = (random_numbers(rows, 3, seed) >> np.uint64(11)) * 2.0**-53
    colours = np.round(255 * (0.5 + uniform / 2)).astype(np.uint16)
    return ((grey * colours[:, None, None, :] + 127) // 255).astype(np.uint8)


def noisy(grey: Grey, rows: Rows, seed: int) -> Pixels:
    """Plus a uniform byte for each pixel and channel, clipped at 255: the shape stays white."""
    count, height, width, _ = grey.shape
    integers = random_numbers(rows, -(-height * width * 3 // 8), seed).astype("<u8")
    noise = integers.view(np.uint8)[:, : height * width * 3].reshape(count, height, width, 3)
    return np.minimum(grey, 255 - noise) + noise


VARIANTS: dict[str, Callable[[Grey, Rows, int], Pixels]] = {"colour": coloured, "noisy": noisy}


def random_numbers(rows: Rows, count: int, seed: int) -> RandomNumbers:
    """`count` numbers that follow from the seed and the row alone (splitmix64 of a counter that starts at random)."""
    start = splitmix64(splitmix64(np.array([seed], np.uint64)) + rows.astype(np.uint64) * STEP)
    return splitmix64(start[:, None] + np.arange(1, count + 1, dtype=np.uint64) * STEP)


STEP = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio


def splitmix64(state: UInt64[np.ndarray, "*any"]) -> UInt64[np.ndarray, "*any"]:
    """The output function of the generator of that name (Steele, Lea and Flood, 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


DATASET = DatasetDefinition(
    settings=DSpritesSettings,
    build=build,
    card=CARD,
    downloads=DOWNLOADS,
    files=files,
    source=source,
    child_process_only=True,
    version=VERSION,
)
