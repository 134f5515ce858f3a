"""Points with their intervals, and lines through those of one series, as SVG for a page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from unweave.figures.curve import CURVE_COLOURS
from unweave.figures.ticks import format_number, ticks

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 300, 56, 44, 12
"""Pixels of the picture, and of what is beside its axes."""
ENTRY = 17  # pixels of a line of the legend
LETTERS = 34  # of a name in the legend


class ScatterPoint(NamedTuple):
    """A value, where it lies on the horizontal axis, and its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


def scatter_svg(series: Mapping[str, Sequence[ScatterPoint]], x_label: str, y_label: str) -> str:
    """An SVG element with a legend at its right; it has the colour of the text around it.

    Raises ValueError where there is no point.
    """
    points = [point for of_name in series.values() for point in of_name]
    if not points:
        raise ValueError("there is nothing to draw: no series has a point.")
    ends = [end for point in points for end in (point.y, point.low, point.high) if end is not None]
    across = _Axis(0.0, max(point.x for point in points) * 1.05 or 1.0, LEFT, WIDTH)
    up = _Axis(min(0.0, *ends), max(ends) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP)
    height = max(HEIGHT, TOP + ENTRY * len(series) + TOP)
    parts = [_frame(across, up, x_label, y_label)]
    for number, (name, of_name) in enumerate(series.items()):
        colour = "#" + "".join(f"{part:02x}" for part in CURVE_COLOURS[number % len(CURVE_COLOURS)])
        parts.append(_series(name, of_name, colour, across, up))
        y = TOP + ENTRY * number + 6
        shown = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
        parts.append(f'<circle cx="{WIDTH + 24}" cy="{y}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH + 34}" y="{y + 4}">{escape(shown)}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH + 280} {height}" width="{WIDTH + 280}" role="img" '
        f'aria-label="{escape(y_label)} against {escape(x_label)}" font-size="12" fill="currentColor">'
        + "".join(parts)
        + "</svg>"
    )


class _Axis(NamedTuple):
    """Values low .. high lie at pixels first .. last."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        return self.first + (value - self.low) / (self.high - self.low or 1.0) * (self.last - self.first)


def _frame(across: _Axis, up: _Axis, x_label: str, y_label: str) -> str:
    left, right, bottom = across.first, across.last, up.first
    parts = [f'<path d="M{left} {up.last}V{bottom}H{right}" fill="none" stroke="currentColor"/>']
    for tick in ticks(up.low, up.high, 5):
        y = up.at(tick)
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="currentColor" opacity=".15"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{format_number(tick)}</text>')
    for tick in ticks(across.low, across.high, 5):
        x = across.at(tick)
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{format_number(tick)}</text>')
    middle = (left + right) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 36}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(f'<text x="14" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 14 {HEIGHT / 2})">')
    return "".join(parts) + f"{escape(y_label)}</text>"


def _series(name: str, points: Sequence[ScatterPoint], colour: str, across: _Axis, up: _Axis) -> str:
    places = [(across.at(point.x), up.at(point.y)) for point in sorted(points)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline points="{line}" fill="none" stroke="{colour}"/>'] if len(places) > 1 else []
    for point, (x, y) in zip(sorted(points), places):
        if point.low is not None and point.high is not None:
            low, high = np.clip([up.at(point.low), up.at(point.high)], up.last, up.first)
            parts.append(f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{colour}" opacity=".5"/>')
        said = f"{name}: {point.y:.3f} at {point.x:,.0f}"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(said)}</title></circle>')
    return "".join(parts)
