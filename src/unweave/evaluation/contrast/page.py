"""The contrast of two groups as an HTML page that opens from disk: what page.html.j2 beside this makes of the facts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup

from unweave.evaluation.report.factor_cards import PACKAGE
from unweave.figures.grid import grid
from unweave.figures.html import picture_address, template
from unweave.tensors import Images

WIDTH = 240  # pixels that Cliff's delta from -1 to 1 is wide


def render_contrast(
    facts: Mapping[str, Any],
    pictures: Sequence[UInt8[np.ndarray, "3 height width channel"]],
    examples: Sequence[Sequence[Images]],
) -> str:
    """The whole page of what contrast.json says, as text in UTF-8.

    `pictures` are of its first units; `examples` are images of both groups, and where they can be, rebuilt.
    """
    a, b = facts["names"]
    columns = [f"typical of {a}", f"the same at the median of {a}", f"at the median of {b}"]
    drawn = [picture_address(grid([steps], column_labels=columns)) for steps in pictures[: len(facts["units"])]]
    rows = [row for group in examples for row in group]
    labels = [label for name in (a, b) for label in (name, "rebuilt")[: len(examples[0])]]
    shown = picture_address(grid(rows, labels))
    page = template("unweave.evaluation.contrast", "page.html.j2", thousands="{:,}".format, p=_p, across=_across)
    style = Markup(template(PACKAGE, "style.css").render())
    return page.render(
        facts=facts, pictures=drawn, examples=shown, rebuilt=len(examples[0]) > 1, style=style, width=WIDTH
    )


def _across(delta: float) -> float:
    """Where a delta lies in its bar."""
    return WIDTH / 2 * (1 + delta)


def _p(value: float) -> str:
    return "below 0.0001" if value < 0.0001 else f"{value:.2g}"
