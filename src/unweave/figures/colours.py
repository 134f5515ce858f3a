"""Numbers as colours, and the bar that says which is which. Needs no torch."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from unweave.figures.axis import Number, number, ticks
from unweave.figures.label import MARGIN, RULE, SIZE, SOFT, extent, write

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


def with_bar(picture: Image.Image, colours: UInt8[np.ndarray, "256 3"], high: Number, quantity: str) -> Image.Image:
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
