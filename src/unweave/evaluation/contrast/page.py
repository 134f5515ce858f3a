"""The contrast of two groups as an HTML page that opens from disk: what page.html.j2 beside this makes of the facts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup

from unweave.evaluation.report.factor_cards import PACKAGE
from unweave.figures.grid import grid
from unweave.figures.html import picture_address, template

WIDTH = 240  # pixels that Cliff's delta from -1 to 1 is wide


def render_contrast(facts: Mapping[str, Any], pictures: Sequence[UInt8[np.ndarray, "3 height width channel"]]) -> str:
    """The whole page of what contrast.json says, as text in UTF-8; pictures are of its first units."""
    a, b = facts["names"]
    columns = [f"typical of {a}", f"the same at the median of {a}", f"at the median of {b}"]
    drawn = [picture_address(grid([steps], column_labels=columns)) for steps in pictures[: len(facts["units"])]]
    page = template("unweave.evaluation.contrast", "page.html.j2", thousands="{:,}".format, p=_p, across=_across)
    style = Markup(template(PACKAGE, "style.css").render())
    return page.render(facts=facts, pictures=drawn, style=style, width=WIDTH)


def _across(delta: float) -> float:
    """Where a delta lies in its bar."""
    return WIDTH / 2 * (1 + delta)


def _p(value: float) -> str:
    return "below 0.0001" if value < 0.0001 else f"{value:.2g}"
