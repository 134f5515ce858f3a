"""The part of a report's page about the training: the loss of images held out, and what is known by heart."""

from collections.abc import Mapping, Sequence
from html import escape

from unweave.runs.report_facts import Learning, Memorised, ReportFacts

HELD_OUT = "held_out/"
PREFERRED = "unweighted"  # a term that means the same at every time of the training
RISEN = 1.1  # times its lowest, from which the loss of images held out has risen
SMALL = 2_000  # images, up to which the page says how some are held out
REMEDY = (
    "More images help, or <code>training.augment=flip,rotate,shift</code>, or a smaller <code>training.images</code>"
)

WIDTH, HEIGHT = 640, 170  # of the curves, without their frame
COLOURS = {"trained on": "var(--soft)", "held out": "var(--bar)"}


def learning_of(history: Sequence[Mapping[str, float | int]]) -> Learning | None:
    """The first term of the loss (of EncDiff the unweighted one) where a run logged it of images held out as well."""
    records = [record for record in history if any(key.startswith(HELD_OUT) for key in record)]
    terms = [key.removeprefix(HELD_OUT) for key in (records[0] if records else {}) if key.startswith(HELD_OUT)]
    if not terms:
        return None
    term = next((name for name in terms if name.endswith(f"/{PREFERRED}")), terms[0])
    whole = [record for record in records if term in record and HELD_OUT + term in record]
    seen, trained_on = ([record[key] for record in whole] for key in ("seen", term))
    return Learning(term, list(map(int, seen)), trained_on, [record[HELD_OUT + term] for record in whole])


def has_risen(learning: Learning) -> bool:
    """Whether images that are held out have become worse again."""
    lowest = learning.held_out[learning.lowest_at]
    return lowest > 0 and learning.held_out[-1] > RISEN * lowest


def warnings(facts: ReportFacts) -> str:
    """What a reader must know first: that images are known by heart, in HTML; nothing where they are not."""
    reasons = []
    if facts.memorised is not None and facts.memorised.by_heart:
        reasons.append(_copies(facts.memorised))
    if facts.learning is not None and has_risen(facts.learning):
        reasons.append(_curve_words(facts.learning))
    if not reasons:
        return ""
    return f"<p><strong>This run learns its images by heart.</strong> {' '.join(reasons)} {REMEDY}.</p>"


def learning_part(facts: ReportFacts) -> str:
    """The curve of the loss, and what is known of copies; nothing where nothing is known."""
    parts = [] if facts.learning is None else [_curves(facts.learning), f"<p>{_curve_words(facts.learning)}</p>"]
    if facts.memorised is not None:
        parts.append(f"<p>{_copies(facts.memorised)}</p>")
        if facts.learning is None and facts.data.images <= SMALL:
            hint = "<code>data.view.split=train</code> holds a fifth of them out"
            parts.append(f"<p class=soft>No image was held out from the training: {hint}.</p>")
    return f"<article><h2>By heart, or understood?</h2>{''.join(parts)}</article>" if parts else ""


def _copies(memorised: Memorised) -> str:
    text = (
        f"Of {memorised.drawn} pictures that are drawn anew, each unit from another image, {memorised.copies:.0%} are "
        f"copies of a training image; of real images that it has not seen, {memorised.real_copies:.0%}."
        if memorised.held_out
        else f"Of {memorised.drawn} pictures that are drawn anew, each unit from another image, {memorised.copies:.0%} "
        f"are copies of a training image; of the images themselves, {memorised.real_copies:.0%} of another."
    )
    if memorised.strayed is None or memorised.trained_strayed is None:
        return text
    return (
        f"{text} Of {memorised.held_out} images that were held out, {memorised.strayed:.0%} are rebuilt nearer to a "
        f"training image than to themselves; of training images, {memorised.trained_strayed:.0%} to another."
    )


def _curve_words(learning: Learning) -> str:
    best = learning.lowest_at
    text = (
        f"On images held out, <code>{escape(learning.term)}</code> is {learning.held_out[-1]:.4g}, on those trained on "
        f"{learning.trained_on[-1]:.4g}"
    )
    if not has_risen(learning):
        return f"{text}."
    return f"{text}; it was lowest, {learning.held_out[best]:.4g}, after {learning.seen[best]:,} images."


def _curves(learning: Learning) -> str:
    """Both losses against images seen, as a drawing that follows the colours of the page."""
    lines = {"trained on": learning.trained_on, "held out": learning.held_out}
    values = [value for line in lines.values() for value in line]
    low, high = min(values), max(values)
    last, span = max(learning.seen[-1], 1), (high - low) or 1
    drawn = "".join(
        f'<polyline fill="none" stroke="{COLOURS[name]}" stroke-width="2" vector-effect="non-scaling-stroke" points="'
        + " ".join(
            f"{WIDTH * seen / last:.1f},{8 + (HEIGHT - 16) * (high - value) / span:.1f}"
            for seen, value in zip(learning.seen, line)
        )
        + '"></polyline>'
        for name, line in lines.items()
    )
    legend = ", ".join(f'<span style="color:{COLOURS[name]}">&#9644;</span> {name}' for name in lines)
    label = f"{escape(learning.term)} against images seen, on images trained on and held out"
    return (
        f'<figure><svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'style="height:{HEIGHT}px;border-left:1px solid var(--soft);border-bottom:1px solid var(--soft)">{drawn}</svg>'
        f"<figcaption class=ends><span>{learning.seen[0]:,} images</span><span>{escape(learning.term)} from {low:.4g} "
        f"to {high:.4g}: {legend}</span><span>{last:,}</span></figcaption></figure>"
    )
