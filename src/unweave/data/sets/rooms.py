"""rooms: one object in the corner of a room, ray-cast by us; 480,000 images with six known factors.

The factor grid is that of 3D Shapes (Burgess & Kim, 2018); scene and pictures are our own, and
results on it are no results on 3D Shapes.

A picture is linear in the colours of floor, wall and object, so only the 480 views (scale x shape x
orientation) are ever ray-cast: per pixel and surface the part it covers times its light. An image is
their sum weighted by three colours, plus the light that no hue changes (sky, highlight).
"""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.factors import FactorGrid
from unweave.data.settings import DatasetSettings
from unweave.files import temporary_path
from unweave.types import FactorTable, Pixels, Rows

SIDE = 64  # pixels; the side of the ray-cast picture
RAYS = 4  # per pixel, along each axis
VERSION = 1  # counts up when a picture changes
HUES = 10  # 0, 0.1 .. 0.9 of the colour circle, at full saturation and value
VIEWS = FactorGrid(("scale", "shape", "orientation"), (8, 4, 15))
GRID = FactorGrid(("floor_hue", "wall_hue", "object_hue", *VIEWS.names), (HUES, HUES, HUES, *VIEWS.sizes))

Views = UInt8[np.ndarray, "view height width 6"]
"""Floor, wall, object and the red, green and blue of the constant light; floor + wall + object + light <= 255."""

logger = logging.getLogger("unweave")


class RoomsSettings(DatasetSettings):
    name: Literal["rooms"] = "rooms"
    size: Literal[64, 32] = 64  # pixels; 32 is the 2 x 2 average of 64


CARD = Card(
    title="rooms",
    source="ray-cast by unweave (unweave.data.sets.rooms)",
    licence="Apache-2.0",
    citation="factor grid of Burgess & Kim, 3D Shapes dataset, 2018; the pictures are not theirs",
    notes="Synthetic. A complete grid, no noise. Not 3D Shapes: figures on the two do not compare.",
)


class Rooms(Dataset):
    """Shapes are cube, cylinder, sphere and capsule; scale 0.75 .. 1.25 and orientation -30 .. 30 degrees are linear.

    Hues are classes / 10 of the colour circle. About 24 MB of memory at 64 pixels.
    """

    name = "rooms"
    factor_names = GRID.names
    factor_sizes = GRID.sizes
    card = CARD

    def __init__(self, views: Views) -> None:
        side = views.shape[1]
        self.shape = (3, side, side)
        # the three weights once per colour channel, so that the sum runs over adjacent bytes: (view, plane, row, byte)
        planes = np.repeat(views[..., :3].transpose(0, 3, 1, 2), 3, axis=3)
        light = views[..., 3:].reshape(len(views), 1, side, 3 * side)
        self._planes = np.ascontiguousarray(np.concatenate([planes, light], axis=1))
        self._colours = np.tile(hue_colours(HUES).astype(np.uint16), side)  # (hue, byte)

    def __len__(self) -> int:
        return len(GRID)

    def images(self, rows: Rows) -> Pixels:
        from unweave.data.sets._rooms_scene import compose

        factors = GRID.factors(rows)
        _, height, width = self.shape
        images = np.empty((len(rows), height, width, 3), np.uint8)
        view = VIEWS.index(factors[:, 3:])
        compose(self._planes, self._colours, factors[:, :3], view, images.reshape(len(rows), height, 3 * width))
        return images

    def factors(self, rows: Rows) -> FactorTable:
        return GRID.factors(rows)

    def digest(self) -> str:
        return hashlib.sha256(self._planes.tobytes() + self._colours.tobytes()).hexdigest()[:16]


def hue_colours(count: int) -> UInt8[np.ndarray, "count 3"]:
    """Colours equally far apart on the colour circle, at full saturation and value, from red."""
    hue = np.arange(count)[:, None] / count
    away = np.abs((6 * hue - np.array([0.0, 2.0, 4.0]) + 3) % 6 - 3)  # from pure red, green, blue, in sixths
    return np.round(255 * np.clip(2 - away, 0, 1)).astype(np.uint8)


def render(side: int = SIDE, rays: int = RAYS) -> Views:
    """Every view, ray-cast with rays x rays rays per pixel (seconds on one core)."""
    from unweave.data.sets._rooms_scene import cast_rays

    scales, turns = np.linspace(0.75, 1.25, VIEWS.sizes[0]), np.radians(np.linspace(-30, 30, VIEWS.sizes[2]))
    scale, shape, turn = VIEWS.factors(np.arange(len(VIEWS))).T
    views = np.zeros((len(VIEWS), side, side, 6), np.uint8)
    cast_rays(scales[scale], np.ascontiguousarray(shape), turns[turn], rays, views)
    return views


def load_or_make(path: Path, make: Callable[[], Views]) -> Views:
    """The views in a file of the user's cache, made and written there where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            views = file["views"]
        if views.dtype == np.uint8 and views.shape == (len(VIEWS), SIDE, SIDE, 6):
            return views
    except FileNotFoundError:
        pass
    except Exception as error:  # a damaged file can fail in any way, and is only a cache
        logger.info("%s cannot be used (%s) and is made again", path, error)
    views = make()
    try:
        with temporary_path(path) as temporary:
            np.savez(temporary, views=views)
    except OSError as error:
        logger.info("%s cannot be written (%s)", path, error)
    return views


def cache_file() -> Path:
    """`$XDG_CACHE_HOME/unweave/rooms-v1-64.npz`, where XDG_CACHE_HOME is by default ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "unweave" / f"rooms-v{VERSION}-{SIDE}.npz"


def build(settings: RoomsSettings) -> Rooms:
    views = load_or_make(cache_file(), render)
    if settings.size < SIDE:
        step = SIDE // settings.size
        blocks = views.reshape(len(views), settings.size, step, settings.size, step, 6)
        views = blocks.mean(axis=(2, 4), dtype=np.float32).astype(np.uint8)
    return Rooms(views)


DATASET = DatasetDefinition(settings=RoomsSettings, build=build, card=CARD)
