"""Line plots of a training log."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from PIL import Image

from unweave.figures.plots import (
    DPI,
    FONT_SIZE,
    TITLE_FONT_SIZE,
    fold,
    literal,
    missing_glyphs_allowed,
    new_axes,
    rgb,
    short_numbers,
    to_picture,
)
from unweave.figures.text import RULE_COLOUR, Colour
from unweave.figures.ticks import Number, format_number

CURVE_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (110, 110, 116),
    (0, 61, 95), (114, 50, 0), (0, 85, 62), (110, 65, 90), (46, 97, 126), (124, 86, 0), (40, 40, 44),
)  # fmt: skip
"""The colours of Okabe and Ito, told apart also by colour-blind readers; then the same, darker."""

MEANS_PER_CURVE = 80  # a curve of more than twice as many points is drawn faintly, under the means of its stretches

PlotPoints = Float[np.ndarray, "point 2"]


def plot_curves(
    rows: Sequence[Mapping[str, Number]],
    terms: Sequence[str] | None = None,
    *,
    x: str = "seen",
    x_label: str = "images seen",
    vertical: Literal["auto", "log", "linear"] = "auto",
    title: str | None = None,
    size: tuple[int, int] = (760, 360),
) -> Image.Image:
    """Terms of a log against images seen, with their last values in the legend.

    The picture is of the given width and height in pixels, taller where the legend needs it.
    `terms` None draws every key but `x`. "auto" is logarithmic where all values are positive and span a factor of 20.
    Left out: values that are missing, infinite or NaN, and on a logarithmic axis those that are not positive.
    Raises LookupError for a term that is not in the log, ValueError when nothing is left to draw.
    """
    logged = list(dict.fromkeys(key for row in rows for key in row if key != x))
    terms = logged if terms is None else list(terms)
    if unknown := [term for term in terms if term not in logged]:
        raise LookupError(f"the log has no {unknown[0]!r}. It has: {', '.join(logged)}.")
    lines = {term: _points(rows, x, term) for term in terms}
    values = np.concatenate([np.empty(0), *(points[:, 1] for points in lines.values())])
    spans_decades = len(values) > 0 and values.min() > 0 and values.max() > 20 * values.min()
    log = vertical == "log" or (vertical == "auto" and bool(spans_decades))
    lines = {term: points[points[:, 1] > 0] if log else points for term, points in lines.items()}
    lines = {term: points for term, points in lines.items() if len(points)}
    if not lines:
        raise ValueError("there is nothing to draw: the log has no finite value of these terms for this axis.")
    return _plot(lines, log, x_label, title, size)


def _points(rows: Sequence[Mapping[str, Number]], x: str, term: str) -> PlotPoints:
    pairs = np.array([(row[x], row[term]) for row in rows if x in row and term in row], dtype=float).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(1)]


def _plot(
    lines: dict[str, PlotPoints], log: bool, x_label: str, title: str | None, size: tuple[int, int]
) -> Image.Image:
    figure, axes = new_axes(*size)
    axes.set_yscale("log" if log else "linear")
    for index, points in enumerate(lines.values()):
        colour = rgb(CURVE_COLOURS[index % len(CURVE_COLOURS)])
        if len(points) > 2 * MEANS_PER_CURVE:
            axes.plot(*points.T, color=colour, alpha=0.25, linewidth=0.7, zorder=2)
            points = np.stack([stretch.mean(0) for stretch in np.array_split(points, MEANS_PER_CURVE)])
        marker = "o" if len(points) == 1 else ""
        axes.plot(*points.T, color=colour, linewidth=1.6, marker=marker, label=str(index), zorder=3)
    folded = fold(title or "", max(20, round((size[0] - 240) / 9)), 3)
    axes.set_title(literal(folded), loc="left", fontsize=TITLE_FONT_SIZE)
    axes.set_xlabel(literal(x_label), fontsize=FONT_SIZE)
    axes.margins(x=0)
    axes.grid(axis="y", color=rgb(RULE_COLOUR), zorder=1)
    axes.spines[["left", "bottom"]].set_visible(True)
    short_numbers(axes.xaxis, max(2, size[0] // 150))
    short_numbers(axes.yaxis, 6)
    legend = figure.legend(loc="outside right upper", frameon=False, fontsize=FONT_SIZE, handlelength=1)
    # written afterwards, for a label that begins with _ would have no entry
    for text, (term, points) in zip(legend.get_texts(), lines.items()):
        text.set_text(f"{literal(fold(term, 24, 2))}\n{format_number(points[-1, 1])}")
    with missing_glyphs_allowed():
        height = legend.get_window_extent().height
    figure.set_size_inches(size[0] / DPI, max(size[1] / DPI, height / DPI + 0.3))
    return to_picture(figure)
