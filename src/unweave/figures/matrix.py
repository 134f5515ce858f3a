"""Matrices of units and factors as coloured cells: importances, mutual informations. Needs no torch."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from unweave.figures.colours import add_colour_bar, colourise
from unweave.figures.text import (
    GREY,
    LABEL_SIZE,
    MARGIN,
    TEXT_COLOUR,
    TITLE_SIZE,
    draw_text,
    text_size,
    wrap_text,
)
from unweave.figures.ticks import Number, format_number

MAX_CELLS_WIDTH = 900  # pixels that the cells of a row take at most
MAX_NAMES_WIDTH = 200  # pixels that the names of the factors take at most


def plot_score_matrices(
    matrices: Mapping[str, Mapping[str, Sequence]], factors: Sequence[str]
) -> dict[str, Image.Image]:
    """A picture of every matrix that scores.json holds, by the name of its file.

    Importances are shares of a factor's classifier, informations are mutual informations in nats.
    """
    by_file = {}
    for protocol, kinds in matrices.items():
        for kind, values in kinds.items():
            quantity = {"importance": "share of the classifier", "information": "nats"}.get(kind, kind)
            title = f"{kind} of each unit for each factor ({protocol})"
            name = f"{kind}-{protocol.replace('@', '-')}.png"
            by_file[name] = plot_matrix(np.array(values, np.float64), factors, title=title, quantity=quantity)
    return by_file


def plot_matrix(
    values: Float[np.ndarray, "units factors"],
    factors: Sequence[str],
    *,
    units: Sequence[str] | None = None,
    title: str | None = None,
    quantity: str = "share",
    high: Number | None = None,
) -> Image.Image:
    """A row for every factor, a column for every unit, and a colour bar from 0 to `high` (None: the largest value).

    Columns are numbered, or have the names in `units`. Numbers stand in the cells where there is room. Raises
    ValueError for values that are negative or not finite, or another number of names.
    """
    if values.shape[1] != len(factors) or not values.size:
        raise ValueError(f"expected a name for each of {values.shape[1]} factors, got {list(factors)}.")
    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError("a matrix of shares has values of 0 or more; some are negative or not finite.")
    if high is not None and high <= 0:
        raise ValueError(f"high must be positive, got {high}: it is the value of the brightest colour.")
    largest = (float(values.max()) or 1.0) if high is None else float(high)
    columns = list(map(str, range(len(values)))) if units is None else list(units)
    if len(columns) != len(values):
        raise ValueError(f"expected a name for each of {len(values)} units, got {columns}.")
    count, widest = len(values), max(text_size(name, LABEL_SIZE - 2)[0] for name in columns)
    cell = int(np.clip(MAX_CELLS_WIDTH // count, 1, 44)) if units is None else max(44, widest + 8)
    tall = min(max(cell, LABEL_SIZE + 8), 44)
    names = [wrap_text(name, LABEL_SIZE, MAX_NAMES_WIDTH, 1) for name in factors]
    indent = MARGIN + max(text_size(name, LABEL_SIZE)[0] for name in names) + 8
    above = MARGIN + (TITLE_SIZE + 14 if title else 0)
    width = max(
        indent + count * cell,
        indent + text_size("unit 0", LABEL_SIZE)[0] + 40,
        text_size(title or "", TITLE_SIZE)[0] + MARGIN,
    )
    picture = Image.new("RGB", (width + MARGIN, above + LABEL_SIZE + 10 + len(names) * tall + MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    if title:
        draw_text(draw, (MARGIN, MARGIN), title, TITLE_SIZE)
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if s * cell >= 30)
    for unit in range(0, count, step):
        draw_text(
            draw,
            (indent + (unit + 0.5) * cell, above),
            columns[unit],
            LABEL_SIZE - 2,
            align="centre",
            colour=GREY,
        )
    draw_text(
        draw,
        (indent - 8, above),
        "unit" if units is None else "",
        LABEL_SIZE - 2,
        align="right",
        colour=GREY,
    )
    below = above + LABEL_SIZE + 6
    cells = colourise(values.T / largest).repeat(tall, axis=0).repeat(cell, axis=1)  # (y, x, colour)
    picture.paste(Image.fromarray(cells), (indent, below))
    for row, name in enumerate(names):
        y = below + row * tall + (tall - text_size(name, LABEL_SIZE)[1]) / 2
        draw_text(draw, (indent - 8, y), name, LABEL_SIZE, align="right")
        for unit in range(count if cell >= 36 else 0):
            share = values[unit, row]
            position = (
                indent + (unit + 0.5) * cell,
                below + row * tall + (tall - text_size("0", LABEL_SIZE - 3)[1]) / 2,
            )
            if round(float(share), 2) > 0:
                colour = TEXT_COLOUR if share > 0.65 * largest else (240, 240, 244)
                draw_text(
                    draw, position, format_number(round(float(share), 2)), LABEL_SIZE - 3, align="centre", colour=colour
                )
    return add_colour_bar(picture, colourise(np.linspace(0, 1, 256)), largest, quantity)
