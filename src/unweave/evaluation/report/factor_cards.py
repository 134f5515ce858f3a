"""The part of a report's page that is about factors: a sentence, a picture of all, and a card for each."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from unweave.evaluation.report.pictures import ReportPictures, map_tag, strip_tag
from unweave.factors import verdict
from unweave.factors.names import NO_NAME, follows_words
from unweave.figures.html import template
from unweave.runs.report_facts import FactorFacts, ReportFacts

PACKAGE = "unweave.evaluation.report"
"""Where the templates of the page lie."""


def headline(facts: ReportFacts) -> str:
    """One sentence on the factors that are shown, in HTML: what the verdicts say; until all have one, how many there
    are, and that there are too few images for verdicts where that is why. Nothing where none is shown.
    """
    shown = [each for each in facts.factors if each.shown]
    if not shown:
        return ""
    verdicts = {each.word: each.factor.verdict for each in shown if each.factor.verdict is not None}
    units = sum(len(each.factor.units) for each in shown)
    named = sum(each.factor.name is not None or each.factor.measured is not None for each in shown)
    noun = "factor" if len(shown) == 1 else "factors"
    if len(verdicts) == len(shown):
        text = verdict.headline(verdicts)
    else:
        text = f"{len(shown)} {noun} in {units} units; {named} with a name.{_too_few_images(facts)}"
    return Markup("<p class=headline>{}</p>").format(text)


def _too_few_images(facts: ReportFacts) -> str:
    few = facts.data.trained_on and facts.no_edits is None and facts.data.images < verdict.MIN_ROWS
    return f" Whether each is one thing is not judged: it takes {verdict.MIN_ROWS:,} images." if few else ""


def factor_part(facts: ReportFacts, pictures: ReportPictures) -> str:
    """The picture of all factors and their cards; nothing where none is shown."""
    return template(PACKAGE, "factors.html.j2", **FILTERS).module.cards(facts, pictures)  # type: ignore[attr-defined]


def folded_factors(facts: ReportFacts) -> str:
    """A folded list of the factors that are not shown; nothing without any."""
    return template(PACKAGE, "factors.html.j2", **FILTERS).module.folded(facts)  # type: ignore[attr-defined]


def _title(facts: FactorFacts) -> str:
    """What a factor is called: by a person, or by its word and what was measured to follow it."""
    return facts.factor.name or f"{facts.word}: {facts.factor.measured or NO_NAME}"


def _units(facts: FactorFacts) -> str:
    units = facts.factor.units
    return f"unit{'s' * (len(units) > 1)} {', '.join(map(str, units))}"


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": "{:.0%}".format, "title": _title, "units": _units, "follows": follows_words, "strip": strip_tag,
    "place": map_tag,
}  # fmt: skip
"""What the templates of the page call."""
