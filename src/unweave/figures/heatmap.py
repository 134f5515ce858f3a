"""Maps of where each unit acts, in colours or laid over an image, with a colour bar."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from unweave.figures.axis import Number, number, ticks
from unweave.figures.grid import tiles
from unweave.figures.label import MARGIN, RULE, SIZE, SOFT, extent, write
from unweave.figures.pixels import maps, pixels

Values = Float[Tensor, "unit height width"] | Float[np.ndarray, "unit height width"]

MAGMA = (
    (0, 0, 4), (29, 17, 71), (81, 18, 124), (130, 38, 129), (182, 54, 121),
    (230, 81, 100), (251, 136, 97), (254, 194, 135), (252, 253, 191),
)  # fmt: skip
"""Nine colours of magma (S. van der Walt, N. Smith; CC0), from 0 to 1: perceptually uniform, also in grey."""


def colourise(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    """The colours of values in [0, 1]; values outside are clipped."""
    anchors = np.linspace(0, 1, len(MAGMA))
    channels = [np.interp(values, anchors, [colour[c] for colour in MAGMA]) for c in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def heatmap(
    values: Values,
    image: Float[Tensor, "channel tall wide"] | None = None,
    *,
    units: Sequence[int] | None = None,
    high: Number | None = None,
    title: str | None = None,
    quantity: str = "mean change",
) -> Image.Image:
    """A tile for every unit, and a colour bar from 0 to `high` (None: the largest value).

    `image`, in [-1, 1], such as the mean of the images, becomes the first tile.
    """
    numbers, high = maps(values), _high(maps(values), high)
    shown, labels = colourise(numbers / high), _labels(units, len(numbers))
    if image is not None:
        _check(shown, image)
        shown, labels = np.concatenate([pixels(image[None]), shown]), ["mean image", *labels]
    return _with_bar(tiles(shown, labels, title=title), colourise(np.linspace(0, 1, 256)), high, quantity)


def overlay(
    values: Values,
    image: Float[Tensor, "channel tall wide"],
    *,
    units: Sequence[int] | None = None,
    high: Number | None = None,
    title: str | None = None,
    quantity: str = "mean change",
) -> Image.Image:
    """The maps laid over a grey version of one image in [-1, 1]: the larger the value, the more of its colour.

    The colour bar is laid over light grey.
    """
    numbers, high = maps(values), _high(maps(values), high)
    _check(numbers, image)
    grey = pixels(image[None]).mean(3, keepdims=True).repeat(3, axis=3)  # (1, height, width, 3)
    shown = _laid(numbers / high, 0.6 * grey + 80)
    bar = _laid(np.linspace(0, 1, 256), np.full((256, 3), 170.0))
    return _with_bar(tiles(shown, _labels(units, len(numbers)), title=title), bar, high, quantity)


def _laid(values: Float[np.ndarray, "*shape"], under: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "*shape 3"]:
    share = np.clip(values, 0, 1)[..., None] ** 0.7
    bright = colourise(0.35 + 0.6 * values)  # magma's dark end would look like a shadow
    return (share * bright + (1 - share) * under).round().astype(np.uint8)


def _check(values: np.ndarray, image: Tensor) -> None:
    if values.shape[1:3] != image.shape[1:]:
        raise ValueError(
            f"the map and the image must be of one size, got {values.shape[1:3]} and {tuple(image.shape[1:])} "
            "(height, width)."
        )


def _high(values: Float[np.ndarray, "unit height width"], high: Number | None) -> float:
    if high is not None and high <= 0:
        raise ValueError(f"high must be positive, got {high}: it is the value of the brightest colour.")
    return (float(values.max()) or 1.0) if high is None else float(high)


def _labels(units: Sequence[int] | None, count: int) -> list[str]:
    return [f"unit {unit}" for unit in (range(count) if units is None else units)]


def _with_bar(picture: Image.Image, colours: UInt8[np.ndarray, "256 3"], high: float, quantity: str) -> Image.Image:
    """The picture with a colour bar from 0 to `high` under it."""
    wide, tall = 220, 12
    indent = extent(quantity, SIZE)[0] + 14
    below = Image.new("RGB", (max(picture.width, indent + wide + 3 * MARGIN), picture.height + 44), "white")
    below.paste(picture, (0, 0))
    draw = ImageDraw.Draw(below)
    x, y = MARGIN + indent, picture.height + 2
    write(draw, (MARGIN, y + tall / 2 - extent(quantity, SIZE)[1] / 2), quantity, SIZE)
    below.paste(Image.fromarray(colours[None]).resize((wide, tall)), (x, y))
    draw.rectangle((x - 1, y - 1, x + wide, y + tall), outline=RULE)
    for value in ticks(0, high, 4):
        middle = x + value / high * (wide - 1)
        draw.line((middle, y + tall + 1, middle, y + tall + 4), fill=SOFT)
        write(draw, (middle, y + tall + 5), number(value), SIZE - 2, align="centre", colour=SOFT)
    return below
