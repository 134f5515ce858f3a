"""Line plots of a training log."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from unweave.figures.text import (
    GREY,
    LABEL_SIZE,
    MARGIN,
    RULE_COLOUR,
    TEXT_COLOUR,
    TITLE_SIZE,
    Colour,
    draw_text,
    text_size,
    wrap_text,
)
from unweave.figures.ticks import Number, format_number, log_ticks, ticks

CURVE_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (110, 110, 116),
    (0, 61, 95), (114, 50, 0), (0, 85, 62), (110, 65, 90), (46, 97, 126), (124, 86, 0), (40, 40, 44),
)  # fmt: skip
"""The colours of Okabe and Ito, told apart also by colour-blind readers; then the same, darker."""

OVERSAMPLING = 3  # lines are drawn this many times larger and reduced, so that they are smooth
MEANS_PER_CURVE = 80  # a curve of more than twice as many points is drawn faintly, under the means of its stretches

PlotPoints = Float[np.ndarray, "point 2"]


class PlotArea(NamedTuple):
    """Where a plot lies in the picture, and which values its edges stand for."""

    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels
    low: tuple[float, float]  # of x and y; y is log10 on a logarithmic axis
    high: tuple[float, float]
    log: bool

    def to_pixels(self, points: PlotPoints) -> PlotPoints:
        """The pixels at which points are drawn."""
        x, y = points[:, 0], np.log10(points[:, 1]) if self.log else points[:, 1]
        left, top, right, bottom = self.box
        across = left + (x - self.low[0]) / (self.high[0] - self.low[0]) * (right - left)
        down = bottom - (y - self.low[1]) / (self.high[1] - self.low[1]) * (bottom - top)
        return np.stack([across, down], axis=1)


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
    wrapped_title = wrap_text(title, TITLE_SIZE, size[0] - 2 * MARGIN, 2) if title else ""
    names = {term: wrap_text(term, LABEL_SIZE, 170, 2) for term in lines}
    all_points = np.concatenate(list(lines.values()))
    low, high = _range(all_points[:, 0], 0.0), _range(np.log10(all_points[:, 1]) if log else all_points[:, 1], 0.05)
    y_ticks = log_ticks(10 ** high[0], 10 ** high[1]) if log else ticks(*high, 6)
    left = MARGIN + max(text_size(format_number(tick), LABEL_SIZE - 2)[0] for tick in [*y_ticks, 0]) + 8
    top = MARGIN + text_size(wrapped_title, TITLE_SIZE)[1] + (10 if wrapped_title else 0)
    legend = (
        max(text_size(f"{name}\n{format_number(lines[term][-1, 1])}", LABEL_SIZE)[0] for term, name in names.items())
        + 24
    )
    tall = max(size[1], top + sum(_legend_entry_height(name) for name in names.values()) + MARGIN)
    box = (left, top, size[0] - MARGIN - legend - 14, tall - MARGIN - 42)
    area = PlotArea(box, (low[0], high[0]), (low[1], high[1]), log)
    canvas = Image.new("RGB", (size[0], tall), "white")
    draw = ImageDraw.Draw(canvas)
    draw_text(draw, (MARGIN, MARGIN), wrapped_title, TITLE_SIZE)
    _axes(draw, area, y_ticks, x_label)
    for index, points in enumerate(lines.values()):
        if len(points) > 2 * MEANS_PER_CURVE:
            _draw_line(canvas, area.to_pixels(points), _lighter(CURVE_COLOURS[index % len(CURVE_COLOURS)]), 1)
    for index, points in enumerate(lines.values()):
        _draw_line(canvas, area.to_pixels(_stretch_means(points)), CURVE_COLOURS[index % len(CURVE_COLOURS)], 2)
    y = top
    for index, (term, name) in enumerate(names.items()):
        x = box[2] + 18
        draw.rounded_rectangle((x, y + 8, x + 14, y + 11), 1, fill=CURVE_COLOURS[index % len(CURVE_COLOURS)])
        draw_text(draw, (x + 22, y), name, LABEL_SIZE)
        draw_text(
            draw,
            (x + 22, y + text_size(name, LABEL_SIZE)[1]),
            format_number(lines[term][-1, 1]),
            LABEL_SIZE - 2,
            colour=GREY,
        )
        y += _legend_entry_height(name)
    return canvas


def _legend_entry_height(name: str) -> int:
    return text_size(name, LABEL_SIZE)[1] + text_size("0", LABEL_SIZE - 2)[1] + 6


def _range(values: Float[np.ndarray, "number"], room: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    return low - room * (high - low), high + room * (high - low)


def _axes(draw: ImageDraw.ImageDraw, area: PlotArea, y_ticks: Sequence[Number], x_label: str) -> None:
    left, top, right, bottom = area.box
    for tick in y_ticks:
        y = area.to_pixels(np.array([[area.low[0], tick]]))[0, 1]
        draw.line((left, y, right, y), fill=RULE_COLOUR)
        draw_text(
            draw,
            (left - 8, y - text_size("0", LABEL_SIZE - 2)[1] / 2),
            format_number(tick),
            LABEL_SIZE - 2,
            align="right",
            colour=GREY,
        )
    for tick in ticks(area.low[0], area.high[0], max(2, (right - left) // 100)):
        x = area.to_pixels(np.array([[tick, 1.0]]))[0, 0]
        draw.line((x, bottom, x, bottom + 4), fill=TEXT_COLOUR)
        draw_text(draw, (x, bottom + 6), format_number(tick), LABEL_SIZE - 2, align="centre", colour=GREY)
    draw.line((left, bottom, right, bottom), fill=TEXT_COLOUR)
    draw.line((left, top, left, bottom), fill=TEXT_COLOUR)
    draw_text(draw, ((left + right) / 2, bottom + 24), x_label, LABEL_SIZE - 1, align="centre")


def _stretch_means(points: PlotPoints) -> Float[np.ndarray, "mean 2"]:
    if len(points) <= 2 * MEANS_PER_CURVE:
        return points
    return np.stack([stretch.mean(0) for stretch in np.array_split(points, MEANS_PER_CURVE)])


def _lighter(colour: Colour) -> Colour:
    red, green, blue = (round(0.25 * part + 0.75 * 255) for part in colour)
    return red, green, blue


def _draw_line(canvas: Image.Image, points: PlotPoints, colour: Colour, width: int) -> None:
    mask = Image.new("L", (canvas.width * OVERSAMPLING, canvas.height * OVERSAMPLING))
    draw = ImageDraw.Draw(mask)
    scaled = [(float(x), float(y)) for x, y in (points + 0.5) * OVERSAMPLING]
    draw.line(scaled, fill=255, width=width * OVERSAMPLING, joint="curve")
    if len(scaled) == 1:
        draw.circle(scaled[0], 2 * OVERSAMPLING, fill=255)
    canvas.paste(colour, mask=mask.resize(canvas.size, Image.Resampling.BOX))
