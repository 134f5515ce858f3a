"""The contrast of two groups as one HTML page that opens from disk: no script, no network, every picture inside."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8

from unweave.evaluation.report.factor_cards import PACKAGE
from unweave.figures.grid import grid
from unweave.figures.html import template

BAR = 240  # pixels that Cliff's delta from -1 to 1 is wide


def render_contrast(facts: Mapping[str, Any], pictures: Sequence[UInt8[np.ndarray, "3 height width channel"]]) -> str:
    """The whole page of what contrast.json says, as text in UTF-8; pictures are of its first units."""
    a, b = map(escape, facts["names"])
    title = f"How {b} differs from {a}"
    style = template(PACKAGE, "style.css").render()
    cards = [
        _card(unit, pictures[rank] if rank < len(pictures) else None, facts["names"])
        for rank, unit in enumerate(facts["units"])
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head>\n<body>\n<main>\n<header><h1>{title}</h1>{_summary(facts)}</header>\n"
        + "\n".join(cards)
        + f"\n{_notes(facts)}</main></body></html>\n"
    )


def _summary(facts: Mapping[str, Any]) -> str:
    differ = sum(unit["differs"] for unit in facts["units"])
    rows = " and ".join(f"{count:,} of {escape(name)}" for count, name in zip(facts["rows"], facts["names"]))
    of = ""
    if facts["replicates"] is not None:
        of = f" in {facts['replicates'][0]} and {facts['replicates'][1]} replicates"
    ceiling = facts["ceiling"]
    least = ""
    if facts["smallest_p"] >= facts["level"]:
        least = f" So few of each allow no p below {facts['smallest_p']:.2g}: none can be said to differ."
    return (
        f"<p>{differ} of {len(facts['units'])} {facts['kind']} differ by more than chance "
        f"(adjusted p below {facts['level']:g}). "
        f"Images: {rows}{of}.{least}</p>"
        f"<p>All of them together tell the groups apart with an AUROC of {ceiling['auroc']:.2f} "
        f"({ceiling['low']:.2f} to {ceiling['high']:.2f}) on images that were not learned from; 0.5 is chance.</p>"
    )


def _card(
    unit: Mapping[str, Any], steps: UInt8[np.ndarray, "3 height width channel"] | None, names: Sequence[str]
) -> str:
    verdict = "differs" if unit["differs"] else "no difference that chance would not give"
    text = (
        f"<p>{verdict}; Cliff's delta {unit['delta']:+.2f} ({unit['low']:+.2f} to {unit['high']:+.2f}), "
        f"AUROC {unit['auroc']:.2f}, p {_p(unit['p'])}, adjusted {_p(unit['adjusted'])}</p>"
    )
    picture = ""
    if steps is not None:
        columns = [f"typical of {names[0]}", f"this unit at the median of {names[0]}", f"at the median of {names[1]}"]
        content = BytesIO()
        grid([steps], column_labels=columns).save(content, "PNG")
        data = base64.b64encode(content.getvalue()).decode()
        alt = f"The typical picture, and it with {escape(unit['name'])} at both medians"
        picture = f'<figure><img src="data:image/png;base64,{data}" alt="{alt}"></figure>'
    return f"<article><h2>{escape(unit['name'])}</h2>{_bar(unit)}{text}{picture}</article>"


def _bar(unit: Mapping[str, Any]) -> str:
    """Delta and its interval between -1 and 1."""
    low, delta, high = (BAR / 2 * (1 + unit[key]) for key in ("low", "delta", "high"))
    return (
        f'<svg viewBox="0 0 {BAR} 16" style="max-width:{2 * BAR}px;height:24px" role="img" '
        f'aria-label="delta {unit["delta"]:.2f}"><line x1="0" y1="8" x2="{BAR}" y2="8" stroke="#99a" />'
        f'<line x1="{BAR / 2}" y1="2" x2="{BAR / 2}" y2="14" stroke="#99a" />'
        f'<rect x="{low:.1f}" y="6" width="{max(high - low, 1):.1f}" height="4" opacity="0.5" />'
        f'<circle cx="{delta:.1f}" cy="8" r="4" /></svg>'
    )


def _p(value: float) -> str:
    return "below 0.0001" if value < 0.0001 else f"{value:.2g}"


def _notes(facts: Mapping[str, Any]) -> str:
    how = {
        "rows": "Every image is taken to be independent of the others (p by Mann and Whitney, interval by DeLong). "
        "Where several come from one picture, animal, plate or day, this finds differences that are none: give "
        "--replicate.",
        "nested": "Replicates lie in one group each: they change groups together in 9,999 permutations, and the "
        "interval is Obuchowski's, of replicates.",
        "crossed": "Every replicate has images of both groups, which change places inside it in 9,999 permutations; "
        "the interval is Obuchowski's, of replicates.",
    }[facts["design"]]
    a, b = map(escape, facts["names"])
    return (
        "<footer><h2>How this was made</h2>"
        f"<p>Cliff's delta is how much more often an image of {b} is above one of {a} "
        f"than below it; of a unit with several numbers, along their first principal component. {how} Adjusted p are "
        f"Benjamini and Hochberg's over all {facts['kind']}. A difference is not a cause. The numbers are in the JSON "
        "beside this page.</p></footer>"
    )
