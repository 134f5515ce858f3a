"""A card of a factor or unit in HTML: its name, its verdict, and the picture in hand along it."""

from collections.abc import Sequence
from html import escape
from typing import Literal

from unweave.factors.factor import Verdict

CardKind = Literal["clear", "mixed", "leftover", "plain", "unit"]
"""How sure it is that a card is one thing; plain has no verdict."""

KINDS: dict[Verdict | None, CardKind] = {
    "one thing": "clear", "several things mixed": "mixed", "leftover": "leftover", None: "plain",
}  # fmt: skip
BADGES: dict[CardKind, str] = {"clear": "one thing", "mixed": "several things mixed", "leftover": "left over"}

FEW_STATES = 4  # whose shares fit on a card; those of more are shown where the pointer is

ON_CLICK = """element.addEventListener('click', event => {
    const button = event.target.closest('button[data-act]');
    if (button) trigger('click', {act: button.dataset.act, place: Number(button.dataset.place || 0),
        index: Number(button.dataset.index ?? -1)});
    if (button?.dataset.act === 'change')  // once the panel is open
        setTimeout(() => document.getElementById('change')?.scrollIntoView({behavior: 'smooth'}), 500);
});"""


def card_html(
    name: str,
    kind: CardKind,
    strip: Sequence[tuple[float, str]] = (),
    states: Sequence[tuple[float, float]] = (),
    changeable: bool = False,
) -> str:
    """The head of a card; the slider comes below it. `strip` has quantiles and the addresses of pictures there."""
    title = escape(name)
    badge = f'<span class="badge {kind}">{BADGES[kind]}</span>' if kind in BADGES else ""
    change = f'<button data-act=change aria-label="change {title}">change</button>' if changeable else ""
    reset = f'<button data-act=reset aria-label="reset {title}">reset</button>'
    frames = "".join(
        f"<button data-act=move data-place={place:.4f} tabindex=-1>"
        f'<img src="{address}" alt="{title} at {place:.0%}"></button>'
        for place, address in strip
    )
    shares = "".join(
        f'<button data-act=move data-place={place:.4f} aria-label="{title}: state {number}" title="{share:.0%}">'
        f"{f'state {number} ({share:.0%})' if len(states) <= FEW_STATES else number}</button>"
        for number, (place, share) in enumerate(states, 1)
    )
    word = "" if len(states) <= FEW_STATES else "<span>states</span>"
    row = f"<div class=states>{word}{shares}</div>" if shares else ""
    return f"<div class=head><b>{title}</b>{badge}<i></i>{reset}{change}</div><div class=strip>{frames}</div>{row}"
