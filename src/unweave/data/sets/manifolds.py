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

Table = Float[np.ndarray, "rows factors"]
Pictures = Float[np.ndarray, "rows height width channel"]
"""In [0, 1]."""
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
    levels: int = Field(default=20, ge=2, description="classes of each factor, parts of equal width of its range")


class Scene(NamedTuple):
    """A variant: its factors with their ranges, and how it is drawn."""

    ranges: dict[str, tuple[float, float]]
    draw: Callable[[Table], Pictures]
    side: int = 32  # pixels


class Manifold(Dataset):
    """Rows of one variant. `values` are the factors as real numbers, in pixels or in parts of 1."""

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
        self.shape = (self._drawn(np.arange(1)).shape[3], self.scene.side, self.scene.side)

    def __len__(self) -> int:
        return len(self.values)

    def images(self, rows: Rows) -> Pixels:
        check_range(rows, len(self), "row")
        _, height, width = self.shape
        parts = [self._drawn(rows[start : start + 1_000]) for start in range(0, len(rows), 1_000)]
        return np.concatenate(parts) if parts else np.empty((0, height, width, self.shape[0]), np.uint8)

    def _drawn(self, rows: Rows) -> Pixels:
        return np.round(255 * self.scene.draw(self.values[rows])).astype(np.uint8)

    def factors(self, rows: Rows) -> FactorTable:
        check_range(rows, len(self), "row")
        return self._classes[rows]

    def digest(self) -> str:
        content = hashlib.sha256(self.settings.variant.encode())
        content.update(np.ascontiguousarray(self.values, "<f8").tobytes())
        content.update(np.ascontiguousarray(self._classes, "<i8").tobytes())
        return content.hexdigest()[:16]


def draw_factors(distribution: Distribution, rows: int, count: int, rng: np.random.Generator) -> Table:
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


def _grid(side: int) -> tuple[Float[np.ndarray, "1 side"], Float[np.ndarray, "side 1"]]:
    """x and y of the middles of pixels."""
    middles = np.arange(side) + 0.5
    return middles[None, :], middles[:, None]


def bump(x: Float[np.ndarray, "rows"], y: Float[np.ndarray, "rows"], spread: float, side: int) -> Pictures:
    """A Gaussian bump of this standard deviation in pixels, of height 1, at each place."""
    across, down = _grid(side)
    square = (across - x[:, None, None]) ** 2 + (down - y[:, None, None]) ** 2
    return np.exp(-square / (2 * spread**2))[..., None]


def disk(x: Float[np.ndarray, "rows"], y: Float[np.ndarray, "rows"], radius: Float[np.ndarray, "rows"]) -> Pictures:
    """A disk whose edge is two pixels soft, at each place of 32 x 32 pixels."""
    across, down = _grid(32)
    away = np.sqrt((across - x[:, None, None]) ** 2 + (down - y[:, None, None]) ** 2)
    return (1 / (1 + np.exp(2 * (away - radius[:, None, None]))))[..., None]


def ellipse(x: Float[np.ndarray, "rows"], y: Float[np.ndarray, "rows"]) -> Pictures:
    """A Gaussian ellipse, 3 pixels along and 1.5 across, tilted by 30 degrees."""
    across, down = _grid(32)
    right, below = across - x[:, None, None], down - y[:, None, None]
    along = right * np.cos(np.pi / 6) + below * np.sin(np.pi / 6)
    beside = below * np.cos(np.pi / 6) - right * np.sin(np.pi / 6)
    return np.exp(-((along / 3) ** 2 + (beside / 1.5) ** 2) / 2)[..., None]


def two_bumps(values: Table) -> Pictures:
    """A bump that moves both ways in the left half, and one that moves up and down in the right half."""
    x, y, other = values.T
    return bump(x, y, 2, 32) + bump(np.full_like(x, 25.0), other, 2, 32)


def coloured_disk(values: Table) -> Pictures:
    """A disk in the middle: hue once round the colour circle at full saturation, radius in pixels."""
    hue, radius = values.T
    away = np.abs((6 * hue[:, None] - np.array([0.0, 2.0, 4.0]) + 3) % 6 - 3)  # from pure red, green, blue, in sixths
    middle = np.full_like(radius, 16.0)
    return disk(middle, middle, radius) * np.clip(2 - away, 0, 1)[:, None, None, :]


def _place(low: float, high: float) -> dict[str, tuple[float, float]]:
    return {"x": (low, high), "y": (low, high)}


SCENES: dict[str, Scene] = {
    "wide_bump": Scene(_place(5, 27), lambda z: bump(z[:, 0], z[:, 1], 2, 32)),
    "small_bump": Scene(_place(4, 15), lambda z: bump(z[:, 0], z[:, 1], 1.5, 20), side=20),
    "narrow_bump": Scene(_place(9, 23), lambda z: bump(z[:, 0], z[:, 1], 3, 32)),
    "disk": Scene(_place(6, 26), lambda z: disk(z[:, 0], z[:, 1], np.full(len(z), 5.0))),
    "ellipse": Scene(_place(7, 25), lambda z: ellipse(z[:, 0], z[:, 1])),
    "two_bumps": Scene({"x": (5, 12), "y": (5, 27), "other_y": (5, 27)}, two_bumps),
    "shaded_bump": Scene(
        {"x": (5, 27), "brightness": (0.2, 1)}, lambda z: z[:, 1, None, None, None] * bump(z[:, 0], z[:, 0] * 0 + 16, 2, 32)
    ),
    "hue_and_size": Scene({"hue": (0, 1), "radius": (4, 12)}, coloured_disk),
}
"""Wide and narrow say how far the place goes against the size of the bump. Local isometry holds, nearly, for all but
the last two."""


def build(settings: ManifoldsSettings) -> Manifold:
    return Manifold(settings)


DATASET = DatasetDefinition(settings=ManifoldsSettings, build=build, card=CARD)
