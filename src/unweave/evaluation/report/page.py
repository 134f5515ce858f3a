"""The report as one HTML page that opens from disk: what page.html.j2 beside this makes of the facts."""

import shlex
from typing import Any

from markupsafe import Markup

from unweave.evaluation.report.factor_cards import FILTERS, PACKAGE, headline
from unweave.evaluation.report.learning import learning_part, warnings
from unweave.evaluation.report.map_part import map_part
from unweave.evaluation.report.pictures import ReportPictures
from unweave.figures.html import template
from unweave.runs.report_facts import ReportFacts, UnitFacts


def render_page(facts: ReportFacts, pictures: ReportPictures) -> str:
    """The whole page of `unweave.report`'s facts, as text in UTF-8."""
    own: dict[str, Any] = {"thousands": "{:,}".format, "quote": shlex.quote, "nearest": _nearest}
    names = {unit.word: unit.name for unit in facts.units}
    page = template(PACKAGE, "page.html.j2", **FILTERS, **own)
    return page.render(
        facts=facts, pictures=pictures, names=names, headline=headline(facts), warnings=Markup(warnings(facts)),
        map=Markup(map_part(facts.map, pictures.map)), learning=Markup(learning_part(facts)),
    )  # fmt: skip


def _nearest(unit: UnitFacts) -> list[tuple[str, float]]:
    """The three units with the largest rank correlations, by word."""
    return sorted(unit.values.correlations.items(), key=lambda pair: -abs(pair[1]))[:3]
