"""Line plots of a training log."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from unweave.figures.axis import Number, decades, number, ticks
from unweave.figures.label import INK, MARGIN, RULE, SIZE, SOFT, TITLE, Colour, extent, wrap, write

COLOURS: tuple[Colour, ...] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (110, 110, 116),
    (0, 61, 95), (114, 50, 0), (0, 85, 62), (110, 65, 90), (46, 97, 126), (124, 86, 0), (40, 40, 44),
)  # fmt: skip
"""The colours of Okabe and Ito, told apart also by colour-blind readers; then the same, darker."""

FINE = 3  # lines are drawn this many times larger and reduced, so that they are smooth
STRETCHES = 80  # a curve of more than twice as many points is drawn faintly, under the means of its stretches

Points = Float[np.ndarray, "point 2"]


class Frame(NamedTuple):
    """Where a plot lies in the picture, and which values its edges stand for."""

    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels
    low: tuple[float, float]  # of x and y; y is log10 on a logarithmic axis
    high: tuple[float, float]
    log: bool

    def place(self, points: Points) -> Points:
        """Pixels of points."""
        x, y = points[:, 0], np.log10(points[:, 1]) if self.log else points[:, 1]
        left, top, right, bottom = self.box
        across = left + (x - self.low[0]) / (self.high[0] - self.low[0]) * (right - left)
        down = bottom - (y - self.low[1]) / (self.high[1] - self.low[1]) * (bottom - top)
        return np.stack([across, down], axis=1)


def curve(
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
    known = list(dict.fromkeys(key for row in rows for key in row if key != x))
    chosen = known if terms is None else list(terms)
    if unknown := [term for term in chosen if term not in known]:
        raise LookupError(f"the log has no {unknown[0]!r}. It has: {', '.join(known)}.")
    lines = {term: _points(rows, x, term) for term in chosen}
    values = np.concatenate([np.empty(0), *(points[:, 1] for points in lines.values())])
    wide = len(values) > 0 and values.min() > 0 and values.max() > 20 * values.min()
    log = vertical == "log" or (vertical == "auto" and bool(wide))
    lines = {term: points[points[:, 1] > 0] if log else points for term, points in lines.items()}
    lines = {term: points for term, points in lines.items() if len(points)}
    if not lines:
        raise ValueError("there is nothing to draw: the log has no finite value of these terms for this axis.")
    return _plot(lines, log, x_label, title, size)


def _points(rows: Sequence[Mapping[str, Number]], x: str, term: str) -> Points:
    pairs = np.array([(row[x], row[term]) for row in rows if x in row and term in row], dtype=float).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(1)]


def _plot(lines: dict[str, Points], log: bool, x_label: str, title: str | None, size: tuple[int, int]) -> Image.Image:
    words = wrap(title, TITLE, size[0] - 2 * MARGIN, 2) if title else ""
    names = {term: wrap(term, SIZE, 170, 2) for term in lines}
    every = np.concatenate(list(lines.values()))
    low, high = _range(every[:, 0], 0.0), _range(np.log10(every[:, 1]) if log else every[:, 1], 0.05)
    marks = decades(10 ** high[0], 10 ** high[1]) if log else ticks(*high, 6)
    left = MARGIN + max(extent(number(mark), SIZE - 2)[0] for mark in [*marks, 0]) + 8
    top = MARGIN + extent(words, TITLE)[1] + (10 if words else 0)
    legend = max(extent(f"{name}\n{number(lines[term][-1, 1])}", SIZE)[0] for term, name in names.items()) + 24
    tall = max(size[1], top + sum(_entry(name) for name in names.values()) + MARGIN)
    box = (left, top, size[0] - MARGIN - legend - 14, tall - MARGIN - 42)
    frame = Frame(box, (low[0], high[0]), (low[1], high[1]), log)
    canvas = Image.new("RGB", (size[0], tall), "white")
    draw = ImageDraw.Draw(canvas)
    write(draw, (MARGIN, MARGIN), words, TITLE)
    _axes(draw, frame, marks, x_label)
    for order, points in enumerate(lines.values()):
        if len(points) > 2 * STRETCHES:
            _stroke(canvas, frame.place(points), _faint(COLOURS[order % len(COLOURS)]), 1)
    for order, points in enumerate(lines.values()):
        _stroke(canvas, frame.place(_means(points)), COLOURS[order % len(COLOURS)], 2)
    y = top
    for order, (term, name) in enumerate(names.items()):
        x = box[2] + 18
        draw.rounded_rectangle((x, y + 8, x + 14, y + 11), 1, fill=COLOURS[order % len(COLOURS)])
        write(draw, (x + 22, y), name, SIZE)
        write(draw, (x + 22, y + extent(name, SIZE)[1]), number(lines[term][-1, 1]), SIZE - 2, colour=SOFT)
        y += _entry(name)
    return canvas


def _entry(name: str) -> int:
    return extent(name, SIZE)[1] + extent("0", SIZE - 2)[1] + 6


def _range(values: Float[np.ndarray, "number"], room: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    return low - room * (high - low), high + room * (high - low)


def _axes(draw: ImageDraw.ImageDraw, frame: Frame, marks: Sequence[Number], x_label: str) -> None:
    left, top, right, bottom = frame.box
    for mark in marks:
        y = frame.place(np.array([[frame.low[0], mark]]))[0, 1]
        draw.line((left, y, right, y), fill=RULE)
        write(draw, (left - 8, y - extent("0", SIZE - 2)[1] / 2), number(mark), SIZE - 2, align="right", colour=SOFT)
    for mark in ticks(frame.low[0], frame.high[0], max(2, (right - left) // 100)):
        x = frame.place(np.array([[mark, 1.0]]))[0, 0]
        draw.line((x, bottom, x, bottom + 4), fill=INK)
        write(draw, (x, bottom + 6), number(mark), SIZE - 2, align="centre", colour=SOFT)
    draw.line((left, bottom, right, bottom), fill=INK)
    draw.line((left, top, left, bottom), fill=INK)
    write(draw, ((left + right) / 2, bottom + 24), x_label, SIZE - 1, align="centre")


def _means(points: Points) -> Float[np.ndarray, "mean 2"]:
    if len(points) <= 2 * STRETCHES:
        return points
    return np.stack([stretch.mean(0) for stretch in np.array_split(points, STRETCHES)])


def _faint(colour: Colour) -> Colour:
    red, green, blue = (round(0.25 * part + 0.75 * 255) for part in colour)
    return red, green, blue


def _stroke(canvas: Image.Image, points: Points, colour: Colour, width: int) -> None:
    mask = Image.new("L", (canvas.width * FINE, canvas.height * FINE))
    draw = ImageDraw.Draw(mask)
    fine = [(float(x), float(y)) for x, y in (points + 0.5) * FINE]
    draw.line(fine, fill=255, width=width * FINE, joint="curve")
    if len(fine) == 1:
        draw.circle(fine[0], 2 * FINE, fill=255)
    canvas.paste(colour, mask=mask.resize(canvas.size, Image.Resampling.BOX))
