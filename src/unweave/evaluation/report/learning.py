"""The part of a report's page about the training: the loss of images held out, and what is known by heart."""

from collections.abc import Mapping, Sequence

from unweave.evaluation.report.factor_cards import FILTERS, PACKAGE
from unweave.figures.html import template
from unweave.runs.report_facts import Learning, ReportFacts

HELD_OUT = "held_out/"
PREFERRED = "unweighted"  # a term that means the same at every time of the training
RISEN = 1.1  # times its lowest, from which the loss of images held out has risen
SMALL = 2_000  # images, up to which the page says how some are held out
WIDTH, HEIGHT = 640, 170  # of the curves, without their frame


def learning_of(history: Sequence[Mapping[str, float | int]]) -> Learning | None:
    """The first term of the loss (of EncDiff the unweighted one) where a run logged it of images held out as well."""
    records = [record for record in history if any(key.startswith(HELD_OUT) for key in record)]
    terms = [key.removeprefix(HELD_OUT) for key in (records[0] if records else {}) if key.startswith(HELD_OUT)]
    if not terms:
        return None
    term = next((name for name in terms if name.endswith(f"/{PREFERRED}")), terms[0])
    whole = [record for record in records if term in record and HELD_OUT + term in record]
    if not whole:
        return None
    seen, trained_on = ([record[key] for record in whole] for key in ("seen", term))
    return Learning(term, list(map(int, seen)), trained_on, [record[HELD_OUT + term] for record in whole])


def has_risen(learning: Learning) -> bool:
    """Whether images that are held out have become worse again."""
    lowest = learning.held_out[learning.lowest_at]
    return lowest > 0 and learning.held_out[-1] > RISEN * lowest


def warnings(facts: ReportFacts) -> str:
    """What a reader must know first: that images are known by heart, in HTML; nothing where they are not."""
    risen = facts.learning is not None and has_risen(facts.learning)
    by_heart = facts.memorised is not None and facts.memorised.by_heart
    return _render("warnings", facts, by_heart, risen) if risen or by_heart else ""


def learning_part(facts: ReportFacts) -> str:
    """The curve of the loss, and what is known of copies; nothing where nothing is known."""
    if facts.learning is None and facts.memorised is None:
        return ""
    return _render("learning", facts, facts.data.images <= SMALL)


def _render(macro: str, facts: ReportFacts, *arguments: bool) -> str:
    part = template(PACKAGE, "learning.html.j2", **FILTERS, risen=has_risen, points=_points)
    return getattr(part.module, macro)(facts, *arguments)


def _points(line: Sequence[float], learning: Learning) -> str:
    """Where the values of a loss lie in the drawing, WIDTH x HEIGHT, from the first record to the last."""
    values = [*learning.trained_on, *learning.held_out]
    high, span = max(values), max(values) - min(values) or 1
    first, length = learning.seen[0], learning.seen[-1] - learning.seen[0] or 1
    places = (
        (WIDTH * (seen - first) / length, 8 + (HEIGHT - 16) * (high - value) / span)
        for seen, value in zip(learning.seen, line)
    )
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
