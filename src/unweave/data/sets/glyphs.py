"""glyphs: one capital letter on black, anti-aliased; 6,240 images with four exactly known factors.

The letters are strokes of one width (lines and arcs of circles), slanted and stretched before they are drawn, so that
slant and width of the letter leave the weight of its strokes as it is.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field

from unweave.data.dataset import Card, Dataset, DatasetDefinition
from unweave.data.factors import FactorGrid
from unweave.data.settings import DatasetSettings
from unweave.types import FactorTable, Pixels, Rows

Stroke = Float[np.ndarray, "_ 2"]
"""Points (x to the right, y up) that lines join; a letter is 1 wide and 1 high, its middle at 0."""

GRID = FactorGrid(("letter", "slant", "weight", "width"), (26, 8, 5, 6))

HEIGHT = 0.56  # of a letter, in parts of the picture's side
SLANTS = np.tan(np.radians(np.linspace(-20, 20, GRID.sizes[1])))  # of the height, to the right
WEIGHTS = np.linspace(0.024, 0.056, GRID.sizes[2])  # half of the width of a stroke, in parts of the picture's side
WIDTHS = np.linspace(0.55, 1.05, GRID.sizes[3])  # of the height
ARC = 15  # degrees between points of an arc


def lines(*points: tuple[float | int, float | int]) -> Stroke:
    return np.array(points, np.float64)


def arc(x: float | int, y: float | int, across: float, up: float, start: int, end: int) -> Stroke:
    """Of an ellipse about (x, y), from one angle to another, in degrees, counter-clockwise."""
    angle = np.radians(np.linspace(start, end, round(abs(end - start) / ARC) + 1))
    return np.stack([x + across * np.cos(angle), y + up * np.sin(angle)], 1)


STEM = lines((-0.5, -0.5), (-0.5, 0.5))
BOWL = np.concatenate([lines((-0.5, 0.5)), arc(0.15, 0.25, 0.35, 0.25, 90, -90), lines((-0.5, 0.0))])
ROUND = arc(0, 0, 0.5, 0.5, 0, 360)
OPEN = arc(0, 0, 0.5, 0.5, 45, 315)
LETTERS: dict[str, Sequence[Stroke]] = {
    "A": [lines((-0.5, -0.5), (0, 0.5), (0.5, -0.5)), lines((-0.3, -0.15), (0.3, -0.15))],
    "B": [STEM, BOWL, np.concatenate([arc(0.2, -0.25, 0.3, 0.25, 90, -90), lines((-0.5, -0.5))])],
    "C": [OPEN],
    "D": [STEM, np.concatenate([lines((-0.5, 0.5)), arc(0, 0, 0.5, 0.5, 90, -90), lines((-0.5, -0.5))])],
    "E": [lines((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)), lines((-0.5, 0), (0.3, 0))],
    "F": [lines((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)), lines((-0.5, 0), (0.3, 0))],
    "G": [np.concatenate([OPEN, lines((0.5, -0.35), (0.5, -0.05), (0.1, -0.05))])],
    "H": [STEM, lines((0.5, -0.5), (0.5, 0.5)), lines((-0.5, 0), (0.5, 0))],
    "I": [lines((0, -0.5), (0, 0.5)), lines((-0.3, 0.5), (0.3, 0.5)), lines((-0.3, -0.5), (0.3, -0.5))],
    "J": [np.concatenate([lines((0.4, 0.5)), arc(0, -0.15, 0.4, 0.35, 0, -180)])],
    "K": [STEM, lines((0.5, 0.5), (-0.5, -0.1)), lines((-0.15, 0.1), (0.5, -0.5))],
    "L": [lines((-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5))],
    "M": [lines((-0.5, -0.5), (-0.5, 0.5), (0, -0.2), (0.5, 0.5), (0.5, -0.5))],
    "N": [lines((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5))],
    "O": [ROUND],
    "P": [STEM, BOWL],
    "Q": [ROUND, lines((0.1, -0.1), (0.5, -0.5))],
    "R": [STEM, BOWL, lines((0, 0), (0.5, -0.5))],
    "S": [np.concatenate([arc(0, 0.25, 0.45, 0.25, 30, 270), arc(0, -0.25, 0.45, 0.25, 90, -150)])],
    "T": [lines((-0.5, 0.5), (0.5, 0.5)), lines((0, 0.5), (0, -0.5))],
    "U": [np.concatenate([lines((-0.5, 0.5)), arc(0, -0.1, 0.5, 0.4, 180, 360), lines((0.5, 0.5))])],
    "V": [lines((-0.5, 0.5), (0, -0.5), (0.5, 0.5))],
    "W": [lines((-0.5, 0.5), (-0.25, -0.5), (0, 0.3), (0.25, -0.5), (0.5, 0.5))],
    "X": [lines((-0.5, -0.5), (0.5, 0.5)), lines((-0.5, 0.5), (0.5, -0.5))],
    "Y": [lines((-0.5, 0.5), (0, 0), (0.5, 0.5)), lines((0, 0), (0, -0.5))],
    "Z": [lines((-0.5, 0.5), (0.5, 0.5), (-0.5, -0.5), (0.5, -0.5))],
}


class GlyphsSettings(DatasetSettings):
    name: Literal["glyphs"] = "glyphs"
    size: int = Field(default=32, ge=16, le=64)  # pixels


CARD = Card(
    title="glyphs",
    source="drawn by unweave (unweave.data.sets.glyphs)",
    licence="Apache-2.0",
    notes="Synthetic. A complete grid, no noise. The letter has no order; the other factors have.",
)


class Glyphs(Dataset):
    """Letters from A to Z, white on black; slants from left to right, weights from thin to thick, widths rising."""

    name = "glyphs"
    factor_names = GRID.names
    factor_sizes = GRID.sizes
    card = CARD

    def __init__(self, size: int) -> None:
        self.shape = (1, size, size)
        self._pixels = draw(size)

    def __len__(self) -> int:
        return len(GRID)

    def images(self, rows: Rows) -> Pixels:
        GRID.factors(rows)
        return self._pixels[rows][..., None]

    def factors(self, rows: Rows) -> FactorTable:
        return GRID.factors(rows)

    def digest(self) -> str:
        return hashlib.sha256(self._pixels.tobytes()).hexdigest()[:16]


def draw(size: int) -> UInt8[np.ndarray, "glyph height width"]:
    """Every letter at every slant, weight and width, in the order of the grid."""
    shapes = [(slant, width) for slant in SLANTS for width in WIDTHS]
    result = np.empty((len(LETTERS), len(SLANTS), len(WEIGHTS), len(WIDTHS), size, size), np.uint8)
    for letter, strokes in enumerate(LETTERS.values()):
        for place, (slant, width) in enumerate(shapes):
            i, k = divmod(place, len(WIDTHS))
            away = distance([shaped(stroke, slant, width) for stroke in strokes], size)
            for j, weight in enumerate(WEIGHTS):
                covered = np.clip(0.5 + size * (weight - away), 0, 1)  # a pixel whose middle is on the edge: half
                result[letter, i, j, k] = np.round(255 * covered)
    return result.reshape(len(GRID), size, size)


def shaped(stroke: Stroke, slant: float, width: float) -> Stroke:
    """The stroke in parts of the picture's side, stretched, then slanted about its middle."""
    x, y = stroke.T
    return HEIGHT * np.stack([width * x + slant * y, y], 1)


def distance(strokes: Sequence[Stroke], size: int) -> Float[np.ndarray, "height width"]:
    """From the middle of each pixel to the nearest point of the strokes, in parts of the picture's side."""
    middle = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    begins, ends = (np.concatenate([stroke[part] for stroke in strokes]) for part in (slice(-1), slice(1, None)))
    begins, steps = begins.astype(np.float32), (ends - begins).astype(np.float32)
    x, y = middle[None, None, :] - begins[:, 0, None, None], -middle[None, :, None] - begins[:, 1, None, None]
    across, up = steps[:, 0, None, None], steps[:, 1, None, None]
    along = np.clip((x * across + y * up) / (across**2 + up**2), 0, 1)
    return np.sqrt(((x - along * across) ** 2 + (y - along * up) ** 2).min(0))


def build(settings: GlyphsSettings) -> Glyphs:
    return Glyphs(settings.size)


DATASET = DatasetDefinition(settings=GlyphsSettings, build=build, card=CARD)
