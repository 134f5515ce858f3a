"""The report as one HTML page that opens from disk: no script, no network, every picture inside."""

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, features

from unweave.data.reading.image_files import resize_pixels
from unweave.figures.overlay import blend
from unweave.types import Pixels

GAP = 2  # white pixels between images of a strip
SIDE = 72  # pixels on the screen that an image of a strip is high, at least
MOST = 96  # pixels of a side that are kept of larger images, so that the page stays small
EXACT = 48  # pixels of a side up to which images are stored without loss


@dataclass
class Pictures:
    """What the page shows, by the word that asks for a unit."""

    strips: dict[str, list[Pixels]] = field(default_factory=dict)  # per image of the traversal: its steps
    maps: dict[str, Float[np.ndarray, "height width"]] = field(default_factory=dict)
    under: UInt8[np.ndarray, "height width channel"] | None = None  # what the maps are laid over
    ends: dict[tuple[str, str], Pixels] = field(default_factory=dict)  # (word, "lowest" or "highest")
    rebuilt: dict[str, Pixels] = field(default_factory=dict)


def page(facts: Mapping[str, Any], pictures: Pictures) -> str:
    """The whole page of `unweave.report`'s facts, as text in UTF-8."""
    units = facts["units"]
    live = [unit for unit in units if unit["state"] == "live"]
    copies = [unit for unit in units if unit["state"] == "copy"]
    dead = [unit for unit in units if unit["state"] == "dead"]
    data = facts["data"]
    names = {unit["word"]: unit["name"] for unit in units}
    title = f"What varies in {data['name']}"
    parts = [
        f"<header><h1>{escape(title)}</h1>{_summary(facts, live, copies, dead)}</header>",
        _contents(live),
        *(_card(unit, pictures, names, f"u{number}") for number, unit in enumerate(live)),
        _folded(f"Copies: {len(copies)}", "They rise and fall with a unit above.", copies, pictures, names),
        _folded(f"Dead units: {len(dead)}", "They do next to nothing.", dead, pictures, names),
        _rebuilt(facts, pictures),
        _how(facts),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def _summary(facts: Mapping[str, Any], live: Sequence[Any], copies: Sequence[Any], dead: Sequence[Any]) -> str:
    data, more = facts["data"], facts["not looked at"]
    _, height, width = data["shape"]
    units = [f"Units of {escape(facts['method'])}: {len(live)} live"]
    units += [f"{len(some)} {what}" for some, what in ((copies, "copies"), (dead, "dead")) if some]
    units += [f"{more} that vary less were not looked at"] if more else []
    text = (
        f"{', '.join(units)}. {data['images']:,} images at {width} x {height} pixels; training saw "
        f"{facts['images seen']:,} images, with repeats."
    )
    if "swap_consistency" in facts:
        text += (
            f" Swap consistency {facts['swap_consistency']:.2f}: the share of what a swapped unit changes, read back "
            "from the picture, that lands in the unit itself (1 is best)."
        )
    if "no edits" in facts:
        text += " " + escape(facts["no edits"])
    if not data["trained on"]:
        text += " <strong>These are not the images that the run was trained on.</strong>"
    return f"<p>{text}</p><p class=soft>No label was used to find the units, to rank or to fold them.</p>"


def _contents(live: Sequence[Mapping[str, Any]]) -> str:
    """Links to the units, with bars relative to the strongest."""
    if not live:
        return "<p><strong>No unit does anything.</strong> Train longer (training.images=...).</p>"
    bars = "".join(
        f'<li><a href="#u{number}">{escape(unit["name"])}</a>{_bar(unit, live[0])}<span>{_amount(unit)}</span></li>'
        for number, unit in enumerate(live)
    )
    what = "how far pixels move when a unit comes from another image" if "share" in live[0] else "spread"
    return f'<nav aria-label="units"><h2>Units, by {what}</h2><ol class=bars>{bars}</ol></nav>'


def _bar(unit: Mapping[str, Any], strongest: Mapping[str, Any]) -> str:
    of = "share" if "share" in unit else "spread"
    return f'<i><b style="width:{100 * unit[of] / (strongest[of] or 1):.1f}%"></b></i>'


def _amount(unit: Mapping[str, Any]) -> str:
    return f"{unit['share']:.0%}" if "share" in unit else f"{unit['spread']:.3g}"


def _card(unit: Mapping[str, Any], pictures: Pictures, names: Mapping[str, str], anchor: str | None = None) -> str:
    """Everything about a unit; `anchor` is where a link to it leads. Folded ones have none, and a lower heading."""
    word, name, level = unit["word"], escape(unit["name"]), 2 if anchor else 3
    numbers = []
    if "share" in unit:
        numbers.append(f"moves pixels by {unit['amount']:.4f} on average ({unit['share']:.0%} of all units' change)")
        consistency = unit["swap_consistency"]
        numbers.append(
            "it hardly varies in rebuilt pictures" if consistency is None else f"swap consistency {consistency:.2f}"
        )
    if unit["numbers"] > 1:
        numbers.append(
            f"{unit['numbers']} numbers, drawn along their first principal component ({unit['explained']:.0%} of their "
            "variance), the rest at its mean"
        )
    if "copy of" in unit:
        numbers.append(f"a copy of {escape(names[unit['copy of']])}")
    if "follows" in unit:
        follows = unit["follows"]
        numbers.append(
            f"follows <strong>{escape(str(follows['factor']))}</strong>: tells {follows['information']:.0%} of it "
            f"beyond chance, purity {follows['purity']:.0%}"
        )
    near = sorted(unit["correlations"].items(), key=lambda pair: -abs(pair[1]))[:3]
    if near:
        told = ", ".join(f"{escape(names[other])} ({value:+.2f})" for other, value in near)
        numbers.append(f"rank correlation with {told}")
    low, high = unit["range"]["2 %"], unit["range"]["98 %"]
    facts = "".join(f"<li>{text}</li>" for text in numbers)
    asked = f'<span class="soft"> --units {escape(word)}</span>' if unit["name"] != f"unit {word}" else ""
    at = f' id="{anchor}"' if anchor else ""
    heading = f"<h{level}{at}>{name}{asked}</h{level}>"
    left = _map(unit, pictures) + _histogram(unit) + f"<ul>{facts}</ul>"
    strips = "".join(
        f"<div>{_image(_joined(strip), f'{name} from low to high, image {at + 1}')}</div>"
        for at, strip in enumerate(pictures.strips.get(word, []))
    )
    if strips:
        ends = f"<div class=ends><span>{low:.3g}</span><span>{high:.3g}</span></div>"
        strips = f"<h{level + 1}>From low to high, all else fixed</h{level + 1}>{ends}{strips}"
    real = "".join(
        f"<figure>{_image(_joined(some), f'real images where {name} is {end}')}<figcaption>{end}</figcaption></figure>"
        for end in ("lowest", "highest")
        if (some := pictures.ends.get((word, end))) is not None
    )
    right = strips + (f"<h{level + 1}>Real images at either end</h{level + 1}>{real}" if real else "")
    return f"<article>{heading}<div class=card><div class=left>{left}</div><div>{right}</div></div></article>"


def _map(unit: Mapping[str, Any], pictures: Pictures) -> str:
    values = pictures.maps.get(unit["word"])
    if values is None or pictures.under is None:
        return ""
    grey = np.repeat(pictures.under.mean(2, keepdims=True), 3, axis=2)
    shown = blend(values / max(float(values.max()), 1e-12), 0.6 * grey + 80)
    image = _image(shown, f"where {escape(unit['name'])} acts", 2 * SIDE)
    return f"<figure>{image}<figcaption>where it acts: mean change, up to {values.max():.3f}</figcaption></figure>"


def _histogram(unit: Mapping[str, Any]) -> str:
    counts = unit["histogram"]["counts"]
    high = max([*counts, 1])
    bars = "".join(
        f'<rect x="{8 * at}" y="{40 - 40 * count / high:.1f}" width="7" height="{40 * count / high:.1f}"/>'
        for at, count in enumerate(counts)
    )
    low, top = unit["histogram"]["from"], unit["histogram"]["to"]
    label = f"histogram of {escape(unit['name'])} from {low:.3g} to {top:.3g}"
    return (
        f'<figure><svg role="img" aria-label="{label}" viewBox="0 0 {8 * len(counts)} 40" preserveAspectRatio="none">'
        f"{bars}</svg>"
        f"<figcaption class=ends><span>{low:.3g}</span><span>{top:.3g}</span></figcaption></figure>"
    )


def _folded(
    title: str, text: str, units: Sequence[Mapping[str, Any]], pictures: Pictures, names: Mapping[str, str]
) -> str:
    if not units:
        return ""
    cards = "".join(_card(unit, pictures, names) for unit in units)
    return f"<details><summary>{title}</summary><p>{text}</p>{cards}</details>"


def _rebuilt(facts: Mapping[str, Any], pictures: Pictures) -> str:
    if "reconstruction" not in facts:
        return ""
    rows = []
    for name, images in pictures.rebuilt.items():
        error = facts["reconstruction"].get(name)
        told = f": MSE {error['mse']:.4f}, PSNR {error['psnr']:.1f} dB" if error else ""
        image = _image(_joined(images), escape(name))
        rows.append(f"<figure>{image}<figcaption>{escape(name)}{told}</figcaption></figure>")
    inverted = len(facts["reconstruction"]) > 1
    text = "Images rebuilt from their units alone" + (
        ", and with the noise that the diffusion model comes back from (inverted x_T), which keeps what the units do "
        "not hold."
        if inverted
        else "; this method has nothing else to rebuild them from."
    )
    return f"<article><h2>What the units hold</h2><p>{text}</p>{''.join(rows)}</article>"


def _how(facts: Mapping[str, Any]) -> str:
    used, run = facts["settings"], escape(shlex.quote(facts["run"]))
    sampler, drawn = used["sampling"], "reconstruction" in facts
    text = [
        f"Run <code>{escape(facts['run'])}</code>, weights {escape(facts['weights'])}.",
        f"{used['rows']:,} images were encoded.",
    ]
    if drawn:
        begins = (
            f", from the x_T of seed {used['seed']} ({escape(sampler['sampler'])}, {sampler['steps']} steps)"
            if len(facts["reconstruction"]) > 1
            else ""
        )
        text.append(
            f"Change and swap consistency: {used['pairs']} random pairs, every unit of the first taken from the second"
            f"{begins}."
        )
    strength = "moves pixels less" if drawn else "varies less"
    text.append(
        f"A unit is dead that {strength} than {used['faint below']:.0%} of the strongest, and a copy where its rank "
        f"correlation with a stronger one is {used['copies from']} or more."
    )
    if any("follows" in unit for unit in facts["units"]):
        text.append(
            "Factors are only shown: what a unit tells of one is I(unit; factor) / H(factor) over 20 bins, less what a "
            "shuffled factor gives; purity is its part among all factors."
        )
    text.append("The numbers are in the JSON beside this page.")
    word = facts["units"][0]["word"]
    return (
        f"<footer><h2>How this was made</h2><p>{' '.join(text)}</p>"
        f"<p>Edit: <code>unweave edit traverse {run}</code> or <code>unweave app {run}</code>. "
        f"Name a unit: <code>unweave name {run} {escape(word)} &quot;wall colour&quot;</code></p></footer>"
    )


def _joined(images: Pixels) -> UInt8[np.ndarray, "tall wide 3"]:
    """Images side by side, with white between them."""
    rgb = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
    height, width = images.shape[1:3]
    if height > MOST:
        rgb = resize_pixels(rgb, (MOST, max(1, round(MOST * width / height))))
    padded = np.pad(rgb, ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=255)  # (image, height, width + gap, 3)
    return np.concatenate(list(padded), 1)[:, :-GAP]


def _image(pixels: UInt8[np.ndarray, "tall wide 3"], alt: str, side: int = SIDE) -> str:
    """An <img> with its bytes inside, a whole multiple of its size and at least `side` high; `alt` is HTML already."""
    content = BytesIO()
    picture = Image.fromarray(pixels)
    if features.check("webp"):
        picture.save(content, "WEBP", quality=85, method=4, lossless=pixels.shape[0] <= EXACT)
    else:
        picture.save(content, "PNG")
    kind = "webp" if features.check("webp") else "png"
    scale = max(1, -(-side // pixels.shape[0]))
    tall, wide = scale * pixels.shape[0], scale * pixels.shape[1]
    return (
        f'<img src="data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}" alt="{alt}" '
        f'width="{wide}" height="{tall}">'
    )


STYLE = """
:root{color-scheme:light dark;--soft:#667;--line:#dde;--bar:#0072b2}
@media(prefers-color-scheme:dark){:root{--soft:#aab;--line:#445;--bar:#56b4e9}}
body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:1080px;margin:0 auto;padding:16px}
h1{margin:.4em 0}h2{font-size:1.2em;margin:.2em 0}h3{font-size:.95em;margin:.9em 0 .3em}
.soft,figcaption,footer{color:var(--soft)}figcaption,footer{font-size:.85em}
article,details,footer{border-top:1px solid var(--line);padding:14px 0;margin:14px 0}
.card{display:grid;grid-template-columns:minmax(180px,260px) minmax(0,1fr);gap:24px}
figure{margin:0 0 8px}
img{max-width:100%;height:auto;image-rendering:pixelated;display:block;margin-bottom:4px}
svg{width:100%;height:56px;fill:var(--bar)}
ul{padding-left:1.1em;margin:.4em 0;font-size:.9em}
.ends{display:flex;justify-content:space-between;font-size:.85em;color:var(--soft)}
.bars{list-style:none;padding:0;max-width:640px}
.bars li{display:grid;grid-template-columns:11em 1fr 3.5em;gap:10px;align-items:center}
.bars i{background:var(--line);height:10px;border-radius:5px;overflow:hidden}
.bars b{display:block;background:var(--bar);height:100%}
.bars span{text-align:right;font-variant-numeric:tabular-nums}
summary{cursor:pointer;font-weight:600}
a{color:inherit}code{font-size:.95em;overflow-wrap:anywhere}
@media(max-width:700px){.card{grid-template-columns:minmax(0,1fr)}.left figure{max-width:260px}}
"""
