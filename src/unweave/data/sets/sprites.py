"""sprites: one flat shape on black, anti-aliased; 36,864 images with six exactly known factors.

Unlike dSprites, orientations span 90 degrees and not 360, so that no two classes give the same square
(or ellipse), shapes are coloured, and scale and place never touch the border.
"""

import hashlib
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8
from pydantic import Field

from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.factors import FactorGrid
from unweave.data.settings import DatasetSettings
from unweave.types import FactorTable, Pixels, Rows

POSES = FactorGrid(("shape", "scale", "orientation"), (3, 4, 8))
MASKS = FactorGrid((*POSES.names, "x", "y"), (*POSES.sizes, 8, 8))
GRID = FactorGrid((*MASKS.names, "colour"), (*MASKS.sizes, 6))

SAMPLES = 8  # per pixel, along each axis
SCALES = (0.55, 0.7, 0.85, 1.0)
TURN = 90 / 8  # degrees between orientations, counter-clockwise from 0
NEAR, FAR = 0.28, 0.72  # first and last place of the centre, in parts of the picture's side
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
COLOURS = np.array([RED, (255, 255, 0), GREEN, (0, 255, 255), BLUE, (255, 0, 255)], np.uint8)  # hues 0, 60 .. 300


class SpritesSettings(DatasetSettings):
    name: Literal["sprites"] = "sprites"
    size: int = Field(default=32, ge=16, le=128)  # pixels


CARD = Card(
    title="sprites",
    source="drawn by unweave (unweave.data.sets.sprites)",
    licence="Apache-2.0",
    notes="Synthetic. A complete grid, no noise. Not dSprites: figures on the two do not compare.",
)


class Sprites(Dataset):
    """Classes of shape: square, ellipse, heart; y counts downwards; hues are equally spaced, from red."""

    name = "sprites"
    factor_names = GRID.names
    factor_sizes = GRID.sizes
    card = CARD

    def __init__(self, size: int) -> None:
        self.shape = (3, size, size)
        self._masks = draw_masks(size)

    def __len__(self) -> int:
        return len(GRID)

    def images(self, rows: Rows) -> Pixels:
        factors = GRID.factors(rows)
        mask, colour = self._masks[MASKS.index(factors[:, :-1])], COLOURS[factors[:, -1]]
        return mask[..., None] & colour[:, None, None, :]  # colours are 0 or 255 in each channel: & multiplies

    def factors(self, rows: Rows) -> FactorTable:
        return GRID.factors(rows)

    def digest(self) -> str:
        return hashlib.sha256(self._masks.tobytes() + COLOURS.tobytes()).hexdigest()[:16]


def draw_masks(size: int) -> UInt8[np.ndarray, "mask height width"]:
    """The part of each pixel that the shape covers, 0 .. 255, for every shape, scale, orientation, x and y."""
    side = size * SAMPLES
    middle = (np.arange(side) + 0.5) / side - 0.5
    offsets = np.round((np.linspace(NEAR, FAR, MASKS.sizes[-1]) - 0.5) * side).astype(int)
    result = np.empty((len(POSES), len(offsets), len(offsets), size, size), np.uint8)
    for pose, (shape, scale, turn) in enumerate(POSES.factors(np.arange(len(POSES)))):
        angle = np.radians(TURN * turn)
        x, y = middle[None, :], -middle[:, None]
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        area = np.zeros((side + 1, side + 1), np.int64)  # of the shape, above and left of a sample
        area[1:, 1:] = SHAPES[shape](u / SCALES[scale], v / SCALES[scale]).cumsum(0).cumsum(1)
        for i, right in enumerate(offsets):
            for j, down in enumerate(offsets):
                edges = [np.clip(np.arange(size + 1) * SAMPLES - offset, 0, side) for offset in (down, right)]
                covered = np.diff(np.diff(area[np.ix_(*edges)], axis=0), axis=1)
                result[pose, i, j] = (255 * covered + SAMPLES**2 // 2) // SAMPLES**2
    return result.reshape(len(MASKS), size, size)


Plane = Float[np.ndarray, "height width"]
Inside = Bool[np.ndarray, "height width"]


def square(u: Plane, v: Plane) -> Inside:
    return np.maximum(abs(u), abs(v)) < 0.165


def ellipse(u: Plane, v: Plane) -> Inside:
    return (u / 0.22) ** 2 + (v / 0.12) ** 2 < 1


def heart(u: Plane, v: Plane) -> Inside:
    """The curve (u² + v² - 1)³ = u² v³, upright."""
    u, v = u / 0.18, v / 0.18 + 0.115
    return (u**2 + v**2 - 1) ** 3 < u**2 * v**3


SHAPES = (square, ellipse, heart)


def build(settings: SpritesSettings) -> Sprites:
    return Sprites(settings.size)


DATASET = DatasetDefinition(settings=SpritesSettings, build=build, card=CARD)
