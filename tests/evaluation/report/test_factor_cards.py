from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.stored_json import stored

from unweave.evaluation.report.factor_cards import factor_part, headline
from unweave.evaluation.report.page import render_page
from unweave.evaluation.report.pictures import FactorImages, ReportPictures
from unweave.factors.factor import Coordinate, Factor, Mode
from unweave.runs.report_facts import FactorFacts, ReportFacts

CIRCLE = Coordinate(True, np.eye(3)[:, :2], np.linspace(0, 1, 101), 0.01)
STATES = (Mode(0.25, 0.4), Mode(0.75, 0.6))
HUE = Factor((0, 3, 7), 0.08, CIRCLE, measured="hue of the bottom", agreement=0.974, verdict="one thing")
SIZE = Factor((2,), 0.03, replace(CIRCLE, closed=False), STATES, name="<size>", verdict="several things mixed")
REST = Factor((5, 6), 0.001, verdict="leftover")
FACTORS = [
    FactorFacts("f1", HUE, "bottom", True), FactorFacts("f2", SIZE, None, True), FactorFacts("f3", REST, None, False),
]  # fmt: skip
FACTS = replace(ReportFacts.from_json(stored("report-encdiff")), factors=FACTORS)
STRIP = np.zeros((7, 8, 8, 3), np.uint8)
PICTURES = ReportPictures(
    factors={
        "f1": FactorImages([STRIP] * 3, None, np.ones((8, 8))),
        "f2": FactorImages([STRIP] * 3, STRIP[:2], np.ones((8, 8))),
    },
    background=STRIP[0],
)


def test_every_factor_that_is_shown_has_a_line_and_a_card() -> None:
    part = factor_part(FACTS, PICTURES)
    assert part.count("<article>") == 2
    assert part.index("<nav") < part.index("<article>")
    for word in ("f1", "f2"):
        assert f'href="#{word}"' in part
        assert f'id="{word}"' in part
    assert "follows: hue of the bottom (0.97)" in part
    assert "--units f1: units 0, 3, 7" in part
    assert "Once round" in part
    assert "acts on the bottom of the picture" in part
    assert 'class="verdict clear">one thing' in part


def test_a_name_by_hand_wins_and_is_text() -> None:
    part = factor_part(FACTS, PICTURES)
    assert "&lt;size&gt;" in part
    assert "<size>" not in part
    assert "no measured name" in part
    measured = replace(HUE, name="floor")
    named = factor_part(replace(FACTS, factors=[replace(FACTORS[0], factor=measured)]), PICTURES)
    assert ">floor" in named
    assert "follows: hue of the bottom (0.97)" in named


def test_states_are_drawn_and_told() -> None:
    part = factor_part(FACTS, PICTURES)
    assert "2 states, with 40%, 60% of the images" in part
    assert part.count("Its states") == 1


def test_what_is_left_over_is_folded_without_a_picture() -> None:
    folded = factor_part(FACTS, PICTURES).split("<details>")[1]
    assert "Left over: 1" in folded
    assert "units 5, 6" in folded
    assert "<img" not in folded


def test_without_factors_the_page_is_about_units() -> None:
    facts = replace(FACTS, factors=[])
    assert factor_part(facts, PICTURES) == ""
    page = render_page(facts, ReportPictures())
    assert "Units one by one" not in page
    assert page.index("Units, by how far") > 0


def test_a_page_begins_with_the_sentence_and_folds_units() -> None:
    page = render_page(FACTS, PICTURES)
    assert headline(FACTS) in page
    assert page.index("headline") < page.index('id="f1"') < page.index("Units one by one") < page.index('id="u0"')


@pytest.mark.parametrize("coordinate", [None, CIRCLE])
def test_real_images_are_called_so(coordinate: Coordinate | None) -> None:
    facts = replace(FACTS, factors=[replace(FACTORS[0], factor=replace(HUE, coordinate=coordinate))])
    part = factor_part(facts, ReportPictures(factors={"f1": FactorImages([STRIP], None, None)}))
    assert "Real images along it" in part
    assert ("no single coordinate" in part) == (coordinate is None)


def test_the_sentence_is_of_the_verdicts_once_all_are_there() -> None:
    assert headline(FACTS) == "<p class=headline>1 clear factor, 1 mixed, 1 left over; trust f1.</p>"
    unjudged = replace(FACTORS[0], factor=replace(HUE, verdict=None))
    assert "2 factors in 4 units; 2 with a name." in headline(replace(FACTS, factors=[unjudged, *FACTORS[1:]]))
