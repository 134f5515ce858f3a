"""Numbers as colours, and the bar that says which is which. Needs no torch."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from unweave.figures.text import GREY, LABEL_SIZE, MARGIN, RULE_COLOUR, draw_text, text_size
from unweave.figures.ticks import Number, format_number, ticks

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


def add_colour_bar(
    picture: Image.Image, colours: UInt8[np.ndarray, "256 3"], high: Number, quantity: str
) -> Image.Image:
    """The picture with a colour bar from 0 to `high` under it."""
    wide, tall = 220, 12
    indent = text_size(quantity, LABEL_SIZE)[0] + 14
    canvas = Image.new("RGB", (max(picture.width, indent + wide + 3 * MARGIN), picture.height + 44), "white")
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    x, y = MARGIN + indent, picture.height + 2
    draw_text(draw, (MARGIN, y + tall / 2 - text_size(quantity, LABEL_SIZE)[1] / 2), quantity, LABEL_SIZE)
    canvas.paste(Image.fromarray(colours[None]).resize((wide, tall)), (x, y))
    draw.rectangle((x - 1, y - 1, x + wide, y + tall), outline=RULE_COLOUR)
    for value in ticks(0, high, 4):
        middle = x + value / high * (wide - 1)
        draw.line((middle, y + tall + 1, middle, y + tall + 4), fill=GREY)
        draw_text(draw, (middle, y + tall + 5), format_number(value), LABEL_SIZE - 2, align="centre", colour=GREY)
    return canvas
