"""Labelled grids of images, as in a paper."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from unweave.figures.pixels import default_scale, enlarge, rgb_pixels
from unweave.figures.text import (
    ACCENT_COLOUR,
    LABEL_SIZE,
    MARGIN,
    RULE_COLOUR,
    TITLE_SIZE,
    draw_text,
    text_size,
    wrap_text,
)
from unweave.tensors import Images
from unweave.types import Pixels

ImageRow = Float[Tensor, "_ _ _ _"] | UInt8[np.ndarray, "_ _ _ _"]
"""Images or Pixels, of a length of its own."""

GAP = 6  # pixels between images


def grid(
    rows: Sequence[ImageRow],
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    *,
    title: str | None = None,
    scale: int | None = None,
    frames: Sequence[tuple[int, int]] = (),
) -> Image.Image:
    """Rows of images on white: row labels at the left, column labels on top.

    Images in [-1, 1] or pixels 0 .. 255, all of one size; rows may be of different lengths. Each pixel becomes a
    square of `scale` pixels; None makes images of up to 128. Cells (row, column) in `frames` get a coloured frame.
    Raises ValueError for no images, images of several sizes, or a wrong number of labels.
    """
    pictures = [rgb_pixels(row) for row in rows]
    if not pictures or not max(len(row) for row in pictures):
        raise ValueError("a grid needs at least one image, got none.")
    if len(sizes := {row.shape[1:3] for row in pictures}) > 1:
        raise ValueError(f"the images of a grid must be of one size, got {sorted(sizes)} (height, width).")
    count, (height, width) = max(len(row) for row in pictures), pictures[0].shape[1:3]
    scale = default_scale(height, width) if scale is None else scale
    tall, wide = height * scale, width * scale
    lines = max(1, tall // round(1.25 * LABEL_SIZE))
    left = [wrap_text(label, LABEL_SIZE, 150, lines) for label in _check_labels(row_labels, len(pictures), "row")]
    top = [wrap_text(label, LABEL_SIZE, wide, 3) for label in _check_labels(column_labels, count, "column")]
    indent = max(text_size(label, LABEL_SIZE)[0] for label in left)
    drop = max(text_size(label, LABEL_SIZE)[1] for label in top)
    indent, drop = indent + 10 * (indent > 0), drop + 6 * (drop > 0)
    canvas, x0, y0 = blank_sheet(indent + count * (wide + GAP) - GAP, drop + len(pictures) * (tall + GAP) - GAP, title)
    draw = ImageDraw.Draw(canvas)
    for column, label in enumerate(top):
        middle = x0 + indent + column * (wide + GAP) + wide / 2
        draw_text(draw, (middle, y0 + drop - 6 - text_size(label, LABEL_SIZE)[1]), label, LABEL_SIZE, align="centre")
    for index, (row, label) in enumerate(zip(pictures, left)):
        y = y0 + drop + index * (tall + GAP)
        draw_text(
            draw, (x0 + indent - 10, y + (tall - text_size(label, LABEL_SIZE)[1]) / 2), label, LABEL_SIZE, align="right"
        )
        for column, image in enumerate(row):
            x = x0 + indent + column * (wide + GAP)
            draw.rectangle((x - 1, y - 1, x + wide, y + tall), outline=RULE_COLOUR)
            canvas.paste(Image.fromarray(enlarge(image, scale)), (x, y))
            if (index, column) in frames:
                draw.rectangle((x - 3, y - 3, x + wide + 2, y + tall + 2), outline=ACCENT_COLOUR, width=3)
    return canvas


def tiles(
    images: Images | Pixels,
    labels: Sequence[str],
    *,
    columns: int | None = None,
    title: str | None = None,
    scale: int | None = None,
) -> Image.Image:
    """Images side by side, each under its own label, in as many columns as given; None chooses, at most 8."""
    pictures = rgb_pixels(images)
    _check_labels(labels, len(pictures), "tile")
    if not len(pictures):
        raise ValueError("tiles need at least one image, got none.")
    columns = balanced_columns(len(pictures)) if columns is None else columns
    height, width = pictures.shape[1:3]
    scale = default_scale(height, width) if scale is None else scale
    tall, wide = height * scale, width * scale
    wrapped = [wrap_text(label, LABEL_SIZE, wide, 2) for label in labels]
    drop = max(text_size(label, LABEL_SIZE)[1] for label in wrapped) + 5
    across, down = columns, -(-len(pictures) // columns)
    step_x, step_y = wide + 2 * GAP, drop + tall + 2 * GAP
    canvas, x0, y0 = blank_sheet(across * step_x - 2 * GAP, down * step_y - 2 * GAP, title)
    draw = ImageDraw.Draw(canvas)
    for index, (image, label) in enumerate(zip(pictures, wrapped)):
        x, y = x0 + index % columns * step_x, y0 + index // columns * step_y + drop
        draw_text(draw, (x + wide / 2, y - 5 - text_size(label, LABEL_SIZE)[1]), label, LABEL_SIZE, align="centre")
        draw.rectangle((x - 1, y - 1, x + wide, y + tall), outline=RULE_COLOUR)
        canvas.paste(Image.fromarray(enlarge(image, scale)), (x, y))
    return canvas


def blank_sheet(width: int, height: int, title: str | None) -> tuple[Image.Image, int, int]:
    """A white sheet with a margin and perhaps a title on top, and the x and y of its free part."""
    wrapped = wrap_text(title, TITLE_SIZE, max(width, 240), 3) if title else ""
    wide, tall = text_size(wrapped, TITLE_SIZE)
    tall += 12 if wrapped else 0
    canvas = Image.new("RGB", (max(width, wide) + 2 * MARGIN, height + tall + 2 * MARGIN), "white")
    draw_text(ImageDraw.Draw(canvas), (MARGIN, MARGIN), wrapped, TITLE_SIZE)
    return canvas, MARGIN, MARGIN + tall


def balanced_columns(count: int) -> int:
    """Columns for a number of tiles: at most 8, with rows as full as they can be."""
    rows = -(-count // 8)
    return -(-count // rows)


def _check_labels(labels: Sequence[str] | None, count: int, what: str) -> Sequence[str]:
    if labels is None:
        return [""] * count
    if len(labels) != count:
        raise ValueError(f"there must be one label for every {what}, got {len(labels)} labels for {count}.")
    return labels
