"""Matrices of units and factors as coloured cells: importances, mutual informations. Needs no torch."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image

from unweave.figures.plots import (
    DPI,
    FONT_SIZE,
    TITLE_FONT_SIZE,
    fold,
    literal,
    new_axes,
    rgb,
    short_numbers,
    to_picture,
)
from unweave.figures.text import MARGIN, TEXT_COLOUR
from unweave.figures.ticks import Number, format_number

MAX_CELLS_WIDTH = 900  # pixels that the cells of a row take at most
LETTER_WIDTH = 7.5  # pixels of a letter in the names of columns


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
    widest = LETTER_WIDTH * max(map(len, columns))
    cell = int(np.clip(MAX_CELLS_WIDTH // len(values), 1, 44)) if units is None else max(44, int(widest) + 8)
    tall = int(np.clip(cell, 23, 44))
    across, down = len(columns) * cell, len(factors) * tall
    figure, axes = new_axes(across, down, fill=True)
    cells = axes.pcolormesh(values.T, cmap="magma", vmin=0, vmax=largest)
    axes.invert_yaxis()
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if s * cell >= 30)
    axes.set_xticks(np.arange(0, len(columns), step) + 0.5, list(map(literal, columns[::step])))
    axes.xaxis.tick_top()
    axes.set_xlabel("unit" if units is None else "", fontsize=FONT_SIZE)
    axes.xaxis.set_label_position("top")
    axes.set_yticks(np.arange(len(factors)) + 0.5, [literal(fold(name, 26)) for name in factors])
    for unit, factor in np.argwhere(values.round(2) > 0) if cell >= 36 else ():
        value = round(float(values[unit, factor]), 2)
        colour = rgb(TEXT_COLOUR if value > 0.65 * largest else (240, 240, 244))
        centre = {"ha": "center", "va": "center", "fontsize": 0.9 * FONT_SIZE}
        axes.text(unit + 0.5, factor + 0.5, format_number(value), color=colour, **centre)  # type: ignore[arg-type]
    axes.set_title(literal(title or ""), loc="left", fontsize=TITLE_FONT_SIZE)
    bar = figure.add_axes((0, -28 / down, 220 / across, 12 / down))
    figure.colorbar(cells, cax=bar, orientation="horizontal", label=literal(quantity))
    short_numbers(bar.xaxis, 4)
    return to_picture(figure, bbox_inches="tight", pad_inches=MARGIN / DPI)
