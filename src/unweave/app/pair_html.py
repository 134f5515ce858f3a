"""What differs between two pictures, in HTML."""

from collections.abc import Sequence
from html import escape

from unweave.app.explorer import Explorer, Picture
from unweave.app.pair import FactorDifference
from unweave.app.picture_panel import address_of


def differences_html(explorer: Explorer, drawn: Sequence[FactorDifference], steps: Sequence[Picture]) -> str:
    """A row for each factor, what matters most first; a click takes it over. Below them the way to the other one."""
    names, most = explorer.names(), max((each.change for each in drawn), default=0.0) or 1.0
    rows = "".join(
        f"<li><button data-act=move data-index={each.slider} data-place={each.there:.4f} "
        f'aria-label="take {escape(names[each.slider])} from the other picture">'
        f'<img src="{address_of(each.picture)}" alt=""><b>{escape(names[each.slider])}</b>'
        f"<span>{each.here:.0%} here, {each.there:.0%} there</span>"
        f'<i style="width:{100 * each.change / most:.0f}%"></i></button></li>'
        for each in drawn
    )
    shown = "".join(
        f'<figure><img src="{address_of(step)}" alt=""><figcaption>{escape(names[each.slider])}</figcaption></figure>'
        for each, step in zip(drawn, steps)
    )
    road = f"<h3>The way there, what matters most first</h3><div class=way>{shown}</div>" if steps else ""
    return f"<ol class=differences>{rows}</ol>{road}"
