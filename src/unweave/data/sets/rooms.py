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
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, no_type_check

import numpy as np
from jaxtyping import UInt8
from numba import njit

from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.factors import FactorGrid
from unweave.data.settings import DatasetSettings
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
        factors = GRID.factors(rows)
        _, height, width = self.shape
        images = np.empty((len(rows), height, width, 3), np.uint8)
        view = VIEWS.index(factors[:, 3:])
        _compose(self._planes, self._colours, factors[:, :3], view, images.reshape(len(rows), height, 3 * width))
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


@njit(cache=True)
@no_type_check
def _compose(planes, colours, hue, view, images):
    for i in range(len(view)):
        floor, wall, thing = colours[hue[i, 0]], colours[hue[i, 1]], colours[hue[i, 2]]
        plane = planes[view[i]]
        for y in range(images.shape[1]):
            for x in range(images.shape[2]):
                total = np.uint16(128)  # 16 bits hold 255 * 255 and the rounding of / 255
                total = np.uint16(total + plane[0, y, x] * floor[x])
                total = np.uint16(total + plane[1, y, x] * wall[x])
                total = np.uint16(total + plane[2, y, x] * thing[x])
                shade = np.uint16(np.uint16(total + (total >> 8)) >> 8)
                images[i, y, x] = np.uint8(shade + plane[3, y, x])


def render(side: int = SIDE, rays: int = RAYS) -> Views:
    """Every view, ray-cast with rays x rays rays per pixel (seconds on one core)."""
    scales, turns = np.linspace(0.75, 1.25, VIEWS.sizes[0]), np.radians(np.linspace(-30, 30, VIEWS.sizes[2]))
    scale, shape, turn = VIEWS.factors(np.arange(len(VIEWS))).T
    views = np.zeros((len(VIEWS), side, side, 6), np.uint8)
    _cast_rays(scales[scale], np.ascontiguousarray(shape), turns[turn], rays, views)
    return views


# The room: floor y = 0, walls x = WALL and z = WALL, sky above TOP. The object stands at the origin.
WALL, TOP = 3.7, 3.3
DISTANCE, HEIGHT, PITCH, ZOOM = 7.6, 3.1, 0.29, 2.4  # of the camera; pitch in radians, zoom 1 / tan(half the angle)
AMBIENT = 0.42
CUBE, CYLINDER, SPHERE = range(3)  # 3 is the capsule


@njit(cache=True)
@no_type_check
def _hit(shape, ox, oy, oz, dx, dy, dz):
    """Distance along the unit ray and the normal where it first meets the object at scale 1; infinite if never."""
    miss = (np.inf, 0.0, 0.0, 0.0)
    if shape == CUBE:
        half, middle = 0.86, 0.86
        near, far, axis = -np.inf, np.inf, 0
        for k in range(3):
            o = ox if k == 0 else (oy - middle if k == 1 else oz)
            d = dx if k == 0 else (dy if k == 1 else dz)
            d = d if abs(d) > 1e-12 else 1e-12
            a, b = min((-half - o) / d, (half - o) / d), max((-half - o) / d, (half - o) / d)
            if a > near:
                near, axis = a, k
            far = min(far, b)
        if near > far or near < 1e-6:
            return miss
        if axis == 0:
            return near, -np.sign(dx), 0.0, 0.0
        return (near, 0.0, -np.sign(dy), 0.0) if axis == 1 else (near, 0.0, 0.0, -np.sign(dz))
    if shape == SPHERE:
        return _hit_ball(ox, oy - 1.05, oz, dx, dy, dz, 1.05)
    radius, low, high = (0.85, 0.0, 1.9) if shape == CYLINDER else (0.62, 0.62, 1.78)
    best = miss
    a, b, c = dx * dx + dz * dz, ox * dx + oz * dz, ox * ox + oz * oz - radius * radius
    if a > 1e-12 and b * b > a * c:
        t = (-b - np.sqrt(b * b - a * c)) / a
        if t > 1e-6 and low <= oy + t * dy <= high:
            best = (t, (ox + t * dx) / radius, 0.0, (oz + t * dz) / radius)
    if shape == CYLINDER:
        t = (high - oy) / (dy if abs(dy) > 1e-12 else 1e-12)
        x, z = ox + t * dx, oz + t * dz
        if 1e-6 < t < best[0] and x * x + z * z < radius * radius:
            best = (t, 0.0, 1.0, 0.0)
        return best
    for end in (low, high):
        cap = _hit_ball(ox, oy - end, oz, dx, dy, dz, radius)
        if cap[0] < best[0]:
            best = cap
    return best


@njit(cache=True)
@no_type_check
def _hit_ball(ox, oy, oz, dx, dy, dz, radius):
    b, c = ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - radius * radius
    t = -b - np.sqrt(b * b - c) if b * b > c else np.inf
    if not 1e-6 < t < np.inf:
        return np.inf, 0.0, 0.0, 0.0
    return t, (ox + t * dx) / radius, (oy + t * dy) / radius, (oz + t * dz) / radius


@njit(cache=True)
@no_type_check
def _soft_light(cosine):
    """Lambert's law of a wide lamp, that reaches a little around the edge."""
    return max(0.0, (cosine + 0.35) / 1.35)


@njit(cache=True)
@no_type_check
def _shade(shape, scale, ox, oy, oz, dx, dy, dz, lx, ly, lz):
    """Surface (0 floor, 1 wall, 2 object, 3 sky), its light in [0, 1], and the highlight or the height in the sky."""
    t, nx, ny, nz = _hit(shape, ox / scale, oy / scale, oz / scale, dx, dy, dz)
    if t < np.inf:  # nothing stands before the object
        hx, hy, hz = lx - dx, ly - dy, lz - dz
        shine = max(0.0, (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz))
        light = AMBIENT * (0.75 + 0.25 * ny) - 0.16 * (nx * dx + ny * dy + nz * dz)  # from above, and from the camera
        light = min(0.97, light + 0.52 * _soft_light(nx * lx + ny * ly + nz * lz))
        return 2, light, min(1.0 - light, 0.35 * shine**40)
    t = -oy / dy if dy < 0 else np.inf
    x, z = ox + t * dx, oz + t * dz
    if t < np.inf and x < WALL and z < WALL:
        crease = (1 - 0.30 * np.exp(-2.2 * (WALL - x))) * (1 - 0.30 * np.exp(-2.2 * (WALL - z)))
        near = max(0.0, np.sqrt(x * x + z * z) / scale - 0.6)
        contact = 1 - 0.45 * np.exp(-3.0 * near)
        lit = 0.0 if _hit(shape, x / scale, 0.0, z / scale, lx, ly, lz)[0] < np.inf else 1.0
        return 0, min(1.0, crease * (AMBIENT * contact + 0.66 * ly * lit)), 0.0
    tx, tz = (WALL - ox) / dx if dx > 0 else np.inf, (WALL - oz) / dz if dz > 0 else np.inf
    t = min(tx, tz)
    y, along = oy + t * dy, (oz + t * dz if tx < tz else ox + t * dx)
    if t < np.inf and y < TOP:
        crease = (1 - 0.30 * np.exp(-2.2 * y)) * (1 - 0.25 * np.exp(-2.2 * (WALL - along)))
        return 1, min(1.0, crease * (0.53 + 0.55 * _soft_light(-lx if tx < tz else -lz))), 0.0
    return 3, 0.0, dy


@njit(cache=True)
@no_type_check
def _cast_rays(scales, shapes, turns, rays, views):
    side = views.shape[1]
    samples = rays * rays
    for v in range(len(views)):
        turn = turns[v] + np.pi / 4  # at 0 degrees the camera looks straight into the corner
        fx, fz = np.cos(turn), np.sin(turn)
        ox, oy, oz = -DISTANCE * fx, HEIGHT, -DISTANCE * fz
        for row in range(side):
            for column in range(side):
                total = np.zeros(6)
                for s in range(samples):
                    u = (2 * (column + (s % rays + 0.5) / rays) / side - 1) / ZOOM
                    w = (1 - 2 * (row + (s // rays + 0.5) / rays) / side) / ZOOM
                    ahead, dy = np.cos(PITCH) + w * np.sin(PITCH), w * np.cos(PITCH) - np.sin(PITCH)
                    dx, dz = ahead * fx + u * fz, ahead * fz - u * fx
                    length = np.sqrt(dx * dx + dy * dy + dz * dz)
                    # the lamp is a disc, a golden-angle spiral of points: each ray sees one of them
                    far, angle = 0.16 * np.sqrt(((7 * s) % samples + 0.5) / samples), 2.399963 * ((7 * s) % samples)
                    lx, ly, lz = -0.68 + far * np.cos(angle), 1.0, 0.05 + far * np.sin(angle)
                    bright = np.sqrt(lx * lx + ly * ly + lz * lz)
                    surface, light, extra = _shade(
                        shapes[v], scales[v], ox, oy, oz,
                        dx / length, dy / length, dz / length, lx / bright, ly / bright, lz / bright,
                    )  # fmt: skip
                    if surface < 3:
                        total[surface] += light
                        total[3:] += extra
                    else:
                        haze = np.exp(-5 * max(0.0, extra))
                        total[3] += 0.60 + 0.26 * haze
                        total[4] += 0.74 + 0.17 * haze
                        total[5] += 0.88 + 0.08 * haze
                for k in range(6):  # rounded down, so that no sum passes 255
                    views[v, row, column, k] = np.uint8(255 * total[k] / samples)


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
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            draft = Path(folder) / path.name
            np.savez(draft, views=views)
            os.replace(draft, path)
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
