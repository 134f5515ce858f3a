"""Axes on which matplotlib draws, as pictures: imported when something is drawn, and without pyplot's global state."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from PIL import Image

from unweave.figures.text import GREY, Colour
from unweave.figures.ticks import Number, format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100  # pixels of an inch; matplotlib counts fonts and lines in 72nds of one
FONT_SIZE, TITLE_FONT_SIZE = 9.5, 13


def rgb(colour: Colour) -> tuple[float, ...]:
    """The colour in matplotlib's numbers, 0 to 1."""
    return tuple(part / 255 for part in colour)


def fold(text: str, letters: int, lines: int = 1) -> str:
    """The text in at most so many lines of so many letters; what does not fit ends in "…"."""
    return "\n".join(wrap(text, letters, max_lines=lines, placeholder="…"))


def literal(text: str) -> str:
    """The text as matplotlib is to be asked for it: between two `$` it would read a formula."""
    return text.replace("$", r"\$")


@contextmanager
def missing_glyphs_allowed() -> Iterator[None]:
    """Letters that the font does not have are drawn as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_axes(width: Number, height: Number, *, fill: bool = False) -> "tuple[Figure, Axes]":
    """A figure of so many pixels and axes without a frame in it, which leave room for all around them, or `fill` it."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(
        figsize=(width / DPI, height / DPI),
        dpi=DPI,
        layout=None if fill else ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12),
    )
    axes = figure.add_axes((0, 0, 1, 1)) if fill else figure.add_subplot()
    axes.tick_params(which="both", length=0, labelsize=FONT_SIZE, labelcolor=rgb(GREY))
    axes.spines[:].set_visible(False)
    return figure, axes


def short_numbers(axis: Any, count: int) -> None:
    """Write the numbers of an axis short; about `count` of them, round ones."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = axis.get_view_interval()
    several = LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,), numticks=count + 1)
    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 5, 10]) if axis.get_scale() == "linear" else several)
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value)))
    axis.set_minor_formatter(NullFormatter())


def to_picture(figure: "Figure", **how: Any) -> Image.Image:
    """The figure as a picture; `how` is what `Figure.savefig` takes."""
    content = BytesIO()
    with missing_glyphs_allowed():
        figure.savefig(content, format="png", **how)
    return Image.open(content).convert("RGB")
