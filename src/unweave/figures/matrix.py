"""Matrices of units and factors as coloured cells: importances, mutual informations. Needs no torch."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from unweave.figures.axis import Number, number
from unweave.figures.colours import colourise, with_bar
from unweave.figures.label import INK, MARGIN, SIZE, SOFT, TITLE, extent, wrap, write

WIDE = 900  # pixels that the cells of a row take at most
NAMES = 200  # pixels that the names of the factors take at most


def pictures(matrices: Mapping[str, Mapping[str, Sequence]], factors: Sequence[str]) -> dict[str, Image.Image]:
    """A picture of every matrix that scores.json holds, by the name of its file.

    Importances are shares of a factor's classifier, informations are mutual informations in nats.
    """
    drawn = {}
    for protocol, kinds in matrices.items():
        for kind, values in kinds.items():
            quantity = {"importance": "share of the classifier", "information": "nats"}.get(kind, kind)
            title = f"{kind} of each unit for each factor ({protocol})"
            name = f"{kind}-{protocol.replace('@', '-')}.png"
            drawn[name] = matrix(np.array(values, np.float64), factors, title=title, quantity=quantity)
    return drawn


def matrix(
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
    top = (float(values.max()) or 1.0) if high is None else float(high)
    columns = list(map(str, range(len(values)))) if units is None else list(units)
    if len(columns) != len(values):
        raise ValueError(f"expected a name for each of {len(values)} units, got {columns}.")
    count, widest = len(values), max(extent(name, SIZE - 2)[0] for name in columns)
    cell = int(np.clip(WIDE // count, 1, 44)) if units is None else max(44, widest + 8)
    tall = min(max(cell, SIZE + 8), 44)
    names = [wrap(name, SIZE, NAMES, 1) for name in factors]
    indent = MARGIN + max(extent(name, SIZE)[0] for name in names) + 8
    above = MARGIN + (TITLE + 14 if title else 0)
    width = max(indent + count * cell, indent + extent("unit 0", SIZE)[0] + 40, extent(title or "", TITLE)[0] + MARGIN)
    picture = Image.new("RGB", (width + MARGIN, above + SIZE + 10 + len(names) * tall + MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    if title:
        write(draw, (MARGIN, MARGIN), title, TITLE)
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if s * cell >= 30)
    for unit in range(0, count, step):
        write(draw, (indent + (unit + 0.5) * cell, above), columns[unit], SIZE - 2, align="centre", colour=SOFT)
    write(draw, (indent - 8, above), "unit" if units is None else "", SIZE - 2, align="right", colour=SOFT)
    below = above + SIZE + 6
    cells = colourise(values.T / top).repeat(tall, axis=0).repeat(cell, axis=1)  # (y, x, colour)
    picture.paste(Image.fromarray(cells), (indent, below))
    for row, name in enumerate(names):
        y = below + row * tall + (tall - extent(name, SIZE)[1]) / 2
        write(draw, (indent - 8, y), name, SIZE, align="right")
        for unit in range(count if cell >= 36 else 0):
            share = values[unit, row]
            middle = (indent + (unit + 0.5) * cell, below + row * tall + (tall - extent("0", SIZE - 3)[1]) / 2)
            if round(float(share), 2) > 0:
                colour = INK if share > 0.65 * top else (240, 240, 244)
                write(draw, middle, number(round(float(share), 2)), SIZE - 3, align="centre", colour=colour)
    return with_bar(picture, colourise(np.linspace(0, 1, 256)), top, quantity)
