"""manifolds: small grey pictures whose factors are known and continuous, on which local isometry holds or does not.

Made by us, after the idea of Horan, Richardson & Weiss (NeurIPS 2021) that pictures which depend on their independent
factors by a local isometry can be taken apart. A bump that moves is nearly such a picture: two pictures of nearby
places are as far apart as the places, wherever they are. A light that changes beside the place is not, since a dim
bump moves a picture less; nor is the size of a coloured disk beside its hue.
"""

import hashlib
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from pydantic import Field

from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.factors import check_range
from unweave.data.settings import DatasetSettings
from unweave.types import FactorTable, Pixels, Rows

FactorValues = Float[np.ndarray, "rows factors"]
DrawnPictures = Float[np.ndarray, "rows height width channel"]
"""In [0, 1]."""
Middles = Float[np.ndarray, "side"]
"""x, and y, of the middles of pixels."""
PerRow = Float[np.ndarray, "rows"]
Distribution = Literal["uniform", "laplacian", "two_peaked", "gaussian"]
Variant = Literal[
    "wide_bump", "small_bump", "narrow_bump", "disk", "ellipse", "two_bumps", "shaded_bump", "hue_and_size"
]

CARD = Card(
    title="manifolds of moving bumps and disks",
    source="drawn by unweave (unweave.data.sets.manifolds)",
    licence="Apache-2.0",
    notes="Synthetic. Factors are continuous; their classes are `levels` parts of equal width.",
)


class ManifoldsSettings(DatasetSettings):
    name: Literal["manifolds"] = "manifolds"
    variant: Variant = Field(default="wide_bump", description="what moves; see unweave/data/sets/manifolds.py")
    factors: Distribution = Field(default="uniform", description="how each factor is distributed, independently")
    rows: int = Field(default=1_000, ge=2, description="pictures")
    seed: int = Field(default=0, ge=0, description="of the factors")
    size: int = Field(default=32, ge=8, description="side in pixels; places and widths scale with it")
    levels: int = Field(default=20, ge=2, description="classes of each factor, parts of equal width of its range")


class Scene(NamedTuple):
    """A variant: its factors with their ranges, and how it is drawn."""

    ranges: dict[str, tuple[float, float]]
    draw: Callable[[FactorValues, Middles], DrawnPictures]
    side: int = 32  # of a picture, in the unit of its ranges


class Manifold(Dataset):
    """Rows of one variant. `values` are the factors as real numbers; places are in parts of the scene's side."""

    card = CARD

    def __init__(self, settings: ManifoldsSettings) -> None:
        self.settings, self.scene = settings, SCENES[settings.variant]
        self.name = f"manifolds ({settings.variant}, {settings.factors})"
        self.factor_names = tuple(self.scene.ranges)
        self.factor_sizes = (settings.levels,) * len(self.factor_names)
        low, high = np.array(list(self.scene.ranges.values())).T
        unit = draw_factors(settings.factors, settings.rows, len(low), np.random.default_rng(settings.seed))
        self.values = low + (high - low) * unit
        self._classes = np.minimum((unit * settings.levels).astype(np.int64), settings.levels - 1)
        self._middles = (np.arange(settings.size) + 0.5) * self.scene.side / settings.size
        self.shape = (self._drawn(np.arange(1)).shape[3], settings.size, settings.size)

    def __len__(self) -> int:
        return len(self.values)

    def images(self, rows: Rows) -> Pixels:
        check_range(rows, len(self), "row")
        _, height, width = self.shape
        parts = [self._drawn(rows[start : start + 1_000]) for start in range(0, len(rows), 1_000)]
        return np.concatenate(parts) if parts else np.empty((0, height, width, self.shape[0]), np.uint8)

    def _drawn(self, rows: Rows) -> Pixels:
        return np.round(255 * self.scene.draw(self.values[rows], self._middles)).astype(np.uint8)

    def factors(self, rows: Rows) -> FactorTable:
        check_range(rows, len(self), "row")
        return self._classes[rows]

    def digest(self) -> str:
        content = hashlib.sha256(f"{self.settings.variant} {self.settings.size}".encode())
        content.update(np.ascontiguousarray(self.values, "<f8").tobytes())
        content.update(np.ascontiguousarray(self._classes, "<i8").tobytes())
        return content.hexdigest()[:16]


def draw_factors(distribution: Distribution, rows: int, count: int, rng: np.random.Generator) -> FactorValues:
    """Independent numbers in [0, 1], each factor of the same distribution.

    `two_peaked` is the arcsine law, whose density rises to both ends; `laplacian` and `gaussian` have a standard
    deviation of a sixth of the range and are drawn again where they leave it.
    """
    if distribution == "uniform":
        return rng.uniform(size=(rows, count))
    if distribution == "two_peaked":
        return (1 - np.cos(np.pi * rng.uniform(size=(rows, count)))) / 2
    draw = rng.normal if distribution == "gaussian" else lambda size: rng.laplace(size=size) / np.sqrt(2)
    numbers = draw(size=rows * count)
    while (outside := np.abs(numbers) >= 3).any():
        numbers[outside] = draw(size=int(outside.sum()))
    return (numbers.reshape(rows, count) + 3) / 6


def bump(x: PerRow, y: PerRow, spread: float, middles: Middles) -> DrawnPictures:
    """A Gaussian bump of this standard deviation and of height 1 at each place."""
    square = (middles - x[:, None, None]) ** 2 + (middles[:, None] - y[:, None, None]) ** 2
    return np.exp(-square / (2 * spread**2))[..., None]


def disk(x: PerRow, y: PerRow, radius: PerRow, middles: Middles) -> DrawnPictures:
    """A disk whose edge is two pixels of 32 soft, at each place."""
    away = np.sqrt((middles - x[:, None, None]) ** 2 + (middles[:, None] - y[:, None, None]) ** 2)
    return (1 / (1 + np.exp(2 * (away - radius[:, None, None]))))[..., None]


def ellipse(z: FactorValues, middles: Middles) -> DrawnPictures:
    """A Gaussian ellipse, 3 long and 1.5 across, tilted by 30 degrees."""
    right, below = middles - z[:, 0, None, None], middles[:, None] - z[:, 1, None, None]
    along = right * np.cos(np.pi / 6) + below * np.sin(np.pi / 6)
    beside = below * np.cos(np.pi / 6) - right * np.sin(np.pi / 6)
    return np.exp(-((along / 3) ** 2 + (beside / 1.5) ** 2) / 2)[..., None]


def two_bumps(z: FactorValues, middles: Middles) -> DrawnPictures:
    """A bump that moves both ways in the left half, and one that moves up and down in the right half."""
    return bump(z[:, 0], z[:, 1], 1.5, middles) + bump(np.full(len(z), 25.0), z[:, 2], 1.5, middles)


def shaded_bump(z: FactorValues, middles: Middles) -> DrawnPictures:
    """A bump that moves from left to right at half the height, of a brightness of its own."""
    return z[:, 1, None, None, None] * bump(z[:, 0], np.full(len(z), 16.0), 3.0, middles)


def coloured_disk(z: FactorValues, middles: Middles) -> DrawnPictures:
    """A disk in the middle: hue once round the colour circle at full saturation, and radius."""
    away = np.abs((6 * z[:, :1] - np.array([0.0, 2.0, 4.0]) + 3) % 6 - 3)  # from pure red, green, blue, in sixths
    middle = np.full(len(z), 16.0)
    return disk(middle, middle, z[:, 1], middles) * np.clip(2 - away, 0, 1)[:, None, None, :]


def _place(low: float, high: float) -> dict[str, tuple[float, float]]:
    return {"x": (low, high), "y": (low, high)}


SCENES: dict[str, Scene] = {
    "wide_bump": Scene(_place(5.0, 27.0), lambda z, middles: bump(z[:, 0], z[:, 1], 2.0, middles)),
    "small_bump": Scene(_place(4.0, 15.0), lambda z, middles: bump(z[:, 0], z[:, 1], 1.5, middles), side=20),
    "narrow_bump": Scene(_place(9.0, 23.0), lambda z, middles: bump(z[:, 0], z[:, 1], 3.0, middles)),
    "disk": Scene(_place(6.0, 26.0), lambda z, middles: disk(z[:, 0], z[:, 1], np.full(len(z), 5.0), middles)),
    "ellipse": Scene(_place(7.0, 25.0), ellipse),
    "two_bumps": Scene({"x": (4.0, 15.0), "y": (10.0, 21.0), "other_y": (10.0, 21.0)}, two_bumps),
    "shaded_bump": Scene({"x": (9.0, 23.0), "brightness": (0.3, 1.0)}, shaded_bump),
    "hue_and_size": Scene({"hue": (0.0, 1.0), "radius": (4.0, 12.0)}, coloured_disk),
}
"""Wide and narrow say how far the place goes against the size of the bump. Local isometry holds, nearly, for all but
the last two."""


def build(settings: ManifoldsSettings) -> Manifold:
    return Manifold(settings)


DATASET = DatasetDefinition(settings=ManifoldsSettings, build=build, card=CARD)
