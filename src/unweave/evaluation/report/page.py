"""The report as one HTML page that opens from disk: no script, no network, every picture inside."""

import shlex
from collections.abc import Mapping, Sequence
from html import escape

from unweave.evaluation.report.factor_cards import factor_part, folded_factors, headline
from unweave.evaluation.report.learning import learning_part, warnings
from unweave.evaluation.report.map_part import map_part
from unweave.evaluation.report.pictures import ExtremeImages, ReportPictures, image_tag, join_images, map_tag
from unweave.runs.report_facts import PixelError, ReportFacts, UnitFacts


def render_page(facts: ReportFacts, pictures: ReportPictures) -> str:
    """The whole page of `unweave.report`'s facts, as text in UTF-8."""
    live, copies, dead = (facts.in_state(state) for state in ("live", "copy", "dead"))
    names = {unit.word: unit.name for unit in facts.units}
    title = f"What varies in {facts.data.name}"
    units = [
        _contents(live),
        *(_card(unit, pictures, names, f"u{number}") for number, unit in enumerate(live)),
        _folded(f"Copies: {len(copies)}", "They rise and fall with a unit above.", copies, pictures, names),
        _folded(f"Dead units: {len(dead)}", "They do next to nothing.", dead, pictures, names),
    ]
    if factors := factor_part(facts, pictures):
        summary = f"Units one by one: {len(live)} live, {len(copies)} copies, {len(dead)} dead"
        units = [f"<details><summary>{summary}</summary>", _unit_notes(facts), *units, "</details>"]
    parts = [
        f"<header><h1>{escape(title)}</h1>{headline(facts)}{_summary(facts)}{warnings(facts)}</header>",
        factors,
        folded_factors(facts),
        *units,
        map_part(facts.map, pictures.map),
        learning_part(facts),
        _rebuilt(facts, pictures),
        _method_notes(facts),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def _summary(facts: ReportFacts) -> str:
    data = facts.data
    _, height, width = data.shape
    repeats = ", with repeats" if facts.images_seen > data.images else ""
    text = [
        f"{escape(facts.method)}; {data.images:,} images at {width} x {height} pixels; training saw "
        f"{facts.images_seen:,} images{repeats}."
    ]
    text += [] if facts.no_edits is None else [escape(facts.no_edits)]
    text += [] if data.trained_on else ["<strong>These are not the images that the run was trained on.</strong>"]
    shown = any(factor.shown for factor in facts.factors)
    found = "factors, to name or to rank them" if shown else "units, to rank or to fold them"
    notes = "" if shown else _unit_notes(facts)
    left_out = _left_out(data.left_out)
    return f"<p>{' '.join(text)}</p>{left_out}{notes}<p class=soft>No label was used to find the {found}.</p>"


def _unit_notes(facts: ReportFacts) -> str:
    """How many units there are, and how cleanly their swaps are read back."""
    live, copies, dead = (len(facts.in_state(state)) for state in ("live", "copy", "dead"))
    omitted = facts.not_looked_at
    units = [f"Units of {escape(facts.method)}: {live} live"]
    units += [f"{count} {state}" for count, state in ((copies, "copies"), (dead, "dead")) if count]
    units += [f"{omitted} that vary less were not looked at"] if omitted else []
    consistency = (
        ""
        if facts.swap_consistency is None
        else (
            f" Swap consistency {facts.swap_consistency:.2f}: the share of what a swapped unit changes, read back "
            "from the picture, that lands in the unit itself (1 is best)."
        )
    )
    return f"<p>{', '.join(units)}.{consistency}</p>"


NAMED = 10  # files that were left out, by name and reason


def _left_out(reasons: Sequence[str]) -> str:
    """Which files the report knows nothing of, and why."""
    if not reasons:
        return ""
    named = "".join(f"<li>{escape(reason)}</li>" for reason in reasons[:NAMED])
    more = f"<li>and {len(reasons) - NAMED:,} more, which report.json names</li>" if len(reasons) > NAMED else ""
    return f"<p><strong>Left out: {len(reasons):,} files that could not be read.</strong></p><ul>{named}{more}</ul>"


def _contents(live: Sequence[UnitFacts]) -> str:
    """Links to the units, with bars relative to the strongest."""
    if not live:
        return "<p><strong>No unit does anything.</strong> Train longer (training.images=...).</p>"
    bars = "".join(
        f'<li><a href="#u{number}">{escape(unit.name)}</a>{_bar(unit, live[0])}<span>{_amount(unit)}</span></li>'
        for number, unit in enumerate(live)
    )
    spreads = [unit.values.spread for unit in live]
    if live[0].swap is not None:
        title = "Units, by how far pixels move when a unit comes from another image"
    elif len(live) > 1 and min(spreads) > 0.99 * max(spreads):
        title = "Units, all scaled to one spread: their order says nothing"
    else:
        title = "Units, by spread"
    return f'<nav aria-label="units"><h2>{title}</h2><ol class=bars>{bars}</ol></nav>'


def _bar(unit: UnitFacts, strongest: UnitFacts) -> str:
    own, most = (one.values.spread if one.swap is None else one.swap.share for one in (unit, strongest))
    return f'<i><b style="width:{100 * own / (most or 1):.1f}%"></b></i>'


def _amount(unit: UnitFacts) -> str:
    return f"{unit.values.spread:.3g}" if unit.swap is None else f"{unit.swap.share:.0%}"


def _card(unit: UnitFacts, pictures: ReportPictures, names: Mapping[str, str], anchor: str | None = None) -> str:
    """Everything about a unit; `anchor` is where a link to it leads. Folded ones have none, and a lower heading."""
    name, level = escape(unit.name), 2 if anchor else 3
    word = f'<span class="soft"> --units {escape(unit.word)}</span>' if unit.name != f"unit {unit.word}" else ""
    target = f' id="{anchor}"' if anchor else ""
    heading = f"<h{level}{target}>{name}{word}</h{level}>"
    sentences = "".join(f"<li>{text}</li>" for text in _sentences(unit, names))
    left = _map(unit, pictures) + _histogram(unit) + f"<ul>{sentences}</ul>"
    strips = "".join(
        f"<div>{image_tag(join_images(strip), f'{name} from low to high, image {number}')}</div>"
        for number, strip in enumerate(pictures.strips.get(unit.word, []), 1)
    )
    if strips:
        low, high = unit.values.range.low, unit.values.range.high
        scale = f"<div class=ends><span>{low:.3g}</span><span>{high:.3g}</span></div>"
        what = (
            "Real images from low to high, other units as alike as there are"
            if unit.swap is None
            else "From low to high, all else fixed"
        )
        strips = f"<h{level + 1}>{what}</h{level + 1}>{scale}{strips}"
    real = _real_images(name, pictures.ends.get(unit.word))
    right = strips + (f"<h{level + 1}>Real images at either end</h{level + 1}>{real}" if real else "")
    return f"<article>{heading}<div class=card><div class=left>{left}</div><div>{right}</div></div></article>"


def _real_images(name: str, ends: ExtremeImages | None) -> str:
    figures = []
    for end, images in ({} if ends is None else ends._asdict()).items():
        image = image_tag(join_images(images), f"real images where {name} is {end}")
        figures.append(f"<figure>{image}<figcaption>{end}</figcaption></figure>")
    return "".join(figures)


def _sentences(unit: UnitFacts, names: Mapping[str, str]) -> list[str]:
    """What is known of a unit, in HTML."""
    sentences = []
    if unit.swap is not None:
        share, consistency = unit.swap.share, unit.swap.consistency
        sentences.append(f"moves pixels by {unit.swap.amount:.4f} on average ({share:.0%} of all units' change)")
        sentences.append(
            "it hardly varies in rebuilt pictures" if consistency is None else f"swap consistency {consistency:.2f}"
        )
    if unit.size > 1:
        sentences.append(
            f"{unit.size} numbers, drawn along their first principal component ({unit.values.explained:.0%} of their "
            "variance), the rest at its mean"
        )
    if unit.copy_of is not None:
        sentences.append(f"a copy of {escape(names[unit.copy_of])}")
    if unit.follows is not None:
        sentences.append(
            f"follows <strong>{escape(unit.follows.factor)}</strong>: tells {unit.follows.information:.0%} of it "
            f"beyond chance, purity {unit.follows.purity:.0%}"
        )
    if nearest := sorted(unit.values.correlations.items(), key=lambda pair: -abs(pair[1]))[:3]:
        others = ", ".join(f"{escape(names[word])} ({value:+.2f})" for word, value in nearest)
        sentences.append(f"rank correlation with {others}")
    return sentences


def _map(unit: UnitFacts, pictures: ReportPictures) -> str:
    values = pictures.maps.get(unit.word)
    return "" if values is None else map_tag(values, pictures, unit.name)


def _histogram(unit: UnitFacts) -> str:
    low, high, counts = unit.values.histogram.low, unit.values.histogram.high, unit.values.histogram.counts
    tallest = max([*counts, 1])
    bars = "".join(
        f'<rect x="{8 * i}" y="{40 - 40 * count / tallest:.1f}" width="7" height="{40 * count / tallest:.1f}"/>'
        for i, count in enumerate(counts)
    )
    label = f"histogram of {escape(unit.name)} from {low:.3g} to {high:.3g}"
    return (
        f'<figure><svg role="img" aria-label="{label}" viewBox="0 0 {8 * len(counts)} 40" preserveAspectRatio="none">'
        f"{bars}</svg>"
        f"<figcaption class=ends><span>{low:.3g}</span><span>{high:.3g}</span></figcaption></figure>"
    )


def _folded(
    title: str, text: str, units: Sequence[UnitFacts], pictures: ReportPictures, names: Mapping[str, str]
) -> str:
    if not units:
        return ""
    cards = "".join(_card(unit, pictures, names) for unit in units)
    return f"<details><summary>{title}</summary><p>{text}</p>{cards}</details>"


def _rebuilt(facts: ReportFacts, pictures: ReportPictures) -> str:
    if facts.reconstruction is None:
        return ""
    errors: dict[str, PixelError | None] = {
        "units alone": facts.reconstruction.units_alone,
        "units and inverted x_T": facts.reconstruction.inverted,
    }
    figures = []
    for name, images in pictures.rebuilt.items():
        error = errors.get(name)
        numbers = f": MSE {error.mse:.4f}, PSNR {error.psnr:.1f} dB" if error else ""
        image = image_tag(join_images(images), escape(name))
        figures.append(f"<figure>{image}<figcaption>{escape(name)}{numbers}</figcaption></figure>")
    text = "Images rebuilt from their units alone" + (
        "; this method has nothing else to rebuild them from."
        if facts.reconstruction.inverted is None
        else ", and with the noise that the diffusion model comes back from (inverted x_T), which keeps what the units "
        "do not hold."
    )
    return f"<article><h2>What the units hold</h2><p>{text}</p>{''.join(figures)}</article>"


GROUPED_BY_EFFECT = (
    "Units are one factor where their codes depend on each other and they change the same thing; a factor moves along "
    "the curve on which the codes of its units lie. A name is what is measured to agree most with it in real pictures "
    "(0.5 or more of 1, and more than by chance), and to change where it is swapped."
)
GROUPED_BY_DEPENDENCE = (
    "Units are one factor where their codes depend on each other; its images are sorted along the curve on which the "
    "codes of its units lie. Without a decoder nothing can be swapped, so no name is measured and no verdict given."
)


def _method_notes(facts: ReportFacts) -> str:
    settings, run, rebuilt = facts.settings, escape(shlex.quote(facts.run)), facts.reconstruction
    sampling = settings.sampling
    text = [
        f"Run <code>{escape(facts.run)}</code>, weights {escape(facts.weights)}.",
        f"{settings.rows:,} images were encoded.",
    ]
    if rebuilt is not None:
        start = (
            ""
            if rebuilt.inverted is None
            else f", from the x_T of seed {settings.seed} ({escape(sampling.sampler)}, {sampling.steps} steps)"
        )
        text.append(
            f"Change and swap consistency: {settings.pairs} random pairs, every unit of the first taken from the second"
            f"{start}."
        )
    if facts.factors:
        text.append(GROUPED_BY_DEPENDENCE if rebuilt is None else GROUPED_BY_EFFECT)
    strength = "varies less" if rebuilt is None else "moves pixels less"
    text.append(
        f"A unit is dead that {strength} than {settings.faint_below:.0%} of the strongest, and a copy where its rank "
        f"correlation with a stronger one is {settings.copies_from} or more."
    )
    if any(unit.follows is not None for unit in facts.units):
        text.append(
            "Factors are only shown: what a unit tells of one is I(unit; factor) / H(factor) over 20 bins, less what a "
            "shuffled factor gives; purity is its part among all factors."
        )
    text.append("The numbers are in the JSON beside this page.")
    shown = [factor.word for factor in facts.factors if factor.shown]
    what, word = ("factor", shown[0]) if shown else ("unit", facts.units[0].word)
    edit = f"Edit: <code>unweave edit traverse {run}</code> or <code>unweave app {run}</code>. "
    return (
        f"<footer><h2>How this was made</h2><p>{' '.join(text)}</p>"
        f"<p>{edit if facts.no_edits is None else ''}"
        f"Name a {what}: <code>unweave name {run} {escape(word)} &quot;wall colour&quot;</code></p></footer>"
    )


STYLE = """
:root{color-scheme:light dark;--soft:#667;--line:#dde;--bar:#0072b2}
@media(prefers-color-scheme:dark){:root{--soft:#aab;--line:#445;--bar:#56b4e9}}
body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:1080px;margin:0 auto;padding:16px}
h1{margin:.4em 0}h2{font-size:1.2em;margin:.2em 0}h3{font-size:.95em;margin:.9em 0 .3em}
.headline{font-size:1.25em;font-weight:600}.follows{margin:.1em 0 .6em}
.overview{list-style:none;padding:0;display:grid;gap:8px}
.overview li{display:grid;grid-template-columns:minmax(11em,17em) 11em minmax(0,1fr);gap:12px;align-items:center}
.overview .verdict{justify-self:start}.overview div{grid-column:3}.overview img{margin:0}
.verdict{font-size:.8rem;font-weight:400;padding:1px 8px;border-radius:9px;border:1px solid var(--line)}
.verdict.clear{border-color:var(--bar)}.verdict.mixed{border-style:dashed}
.soft,figcaption,footer{color:var(--soft)}figcaption,footer{font-size:.85em}
article,details,footer{border-top:1px solid var(--line);padding:14px 0;margin:14px 0}
.card{display:grid;grid-template-columns:minmax(180px,260px) minmax(0,1fr);gap:24px}
figure{margin:0 0 8px}
img{max-width:100%;height:auto;image-rendering:pixelated;display:block;margin-bottom:4px}
svg{width:100%;height:56px;fill:var(--bar)}
ul{padding-left:1.1em;margin:.4em 0;font-size:.9em}
.ends{display:flex;justify-content:space-between;font-size:.85em;color:var(--soft)}
.tiles{display:flex;flex-wrap:wrap;gap:12px}.tiles figure{max-width:150px;overflow-wrap:anywhere}
.bars{list-style:none;padding:0;max-width:640px}
.bars li{display:grid;grid-template-columns:11em 1fr 3.5em;gap:10px;align-items:center}
.bars i{background:var(--line);height:10px;border-radius:5px;overflow:hidden}
.bars b{display:block;background:var(--bar);height:100%}
.bars span{text-align:right;font-variant-numeric:tabular-nums}
summary{cursor:pointer;font-weight:600}
a{color:inherit}code{font-size:.95em;overflow-wrap:anywhere}
@media(max-width:700px){.card{grid-template-columns:minmax(0,1fr)}.left figure{max-width:260px}
.overview li{grid-template-columns:minmax(0,1fr)}.overview div{grid-column:1}}
"""
