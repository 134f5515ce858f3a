"""Points with their intervals, and lines through those of one series, as SVG for a page.

Not by matplotlib: its SVG has neither the colour of the text around it nor a title on every point.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from unweave.figures.curve import CURVE_COLOURS
from unweave.figures.html import template
from unweave.figures.ticks import format_number, ticks

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 300, 56, 44, 12
"""Pixels of the picture, and of what is beside its axes."""
ENTRY = 17  # pixels of a line of the legend


class ScatterPoint(NamedTuple):
    """A value, where it lies on the horizontal axis, and its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class _Axis(NamedTuple):
    """Values low .. high lie at pixels first .. last."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """The pixel of a value; of one outside, the nearer end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low or 1.0)
        return round(self.first + share * (self.last - self.first), 1)

    def ticks(self) -> list[float]:
        return ticks(self.low, self.high, 5)


def scatter_svg(series: Mapping[str, Sequence[ScatterPoint]], x_label: str, y_label: str) -> str:
    """An SVG element with a legend at its right; it has the colour of the text around it.

    Raises ValueError where there is no point.
    """
    points = [point for of_name in series.values() for point in of_name]
    if not points:
        raise ValueError("there is nothing to draw: no series has a point.")
    ends = [end for point in points for end in (point.y, point.low, point.high) if end is not None]
    return template("unweave.figures", "scatter.svg.j2", number=format_number).render(
        series={name: sorted(of_name, key=lambda point: point.x) for name, of_name in series.items()},
        across=_Axis(0.0, max(point.x for point in points) * 1.05 or 1.0, LEFT, WIDTH),
        up=_Axis(min(0.0, *ends), max(ends) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP),
        colours=["#" + bytes(colour).hex() for colour in CURVE_COLOURS],
        width=WIDTH, height=max(HEIGHT, 2 * TOP + ENTRY * len(series)), x_label=x_label, y_label=y_label,
    )  # fmt: skip
