from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.stored_json import stored

from unweave.evaluation.report.factor_cards import factor_part, folded_factors, headline
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
    folded = folded_factors(FACTS)
    assert "Hidden or left over: 1" in folded
    assert "units 5, 6" in folded
    assert "<img" not in folded


def test_without_factors_the_page_is_about_units() -> None:
    facts = replace(FACTS, factors=[])
    assert factor_part(facts, PICTURES) == folded_factors(facts) == headline(facts) == ""
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
    assert headline(FACTS) == "<p class=headline>1 clear factor, 1 mixed; trust f1.</p>"
    unjudged = replace(FACTORS[0], factor=replace(HUE, verdict=None))
    assert "2 factors in 4 units; 2 with a name." in headline(replace(FACTS, factors=[unjudged, *FACTORS[1:]]))


def test_the_sentence_leaves_out_what_is_not_shown() -> None:
    clear = replace(SIZE, verdict="one thing")
    hidden = FactorFacts("f2", replace(clear, hidden=True), None, False)
    facts = replace(FACTS, factors=[FACTORS[0], hidden, FactorFacts("f3", clear, None, True)])
    assert headline(facts) == "<p class=headline>2 clear factors; trust f1, f3.</p>"
    unjudged = replace(FACTORS[2], factor=replace(REST, verdict=None))
    assert "trust f1." in headline(replace(FACTS, factors=[*FACTORS[:2], unjudged]))


def test_few_images_have_no_verdict_and_the_page_says_so() -> None:
    unjudged = [replace(each, factor=replace(each.factor, verdict=None)) for each in FACTORS]

    def told(images: int, trained_on: bool = True) -> str:
        data = replace(FACTS.data, images=images, trained_on=trained_on)
        return headline(replace(FACTS, factors=unjudged, data=data))

    assert "not judged: it takes 1,000 images" in told(999)
    assert "not judged" not in told(1_000)
    assert "not judged" not in told(999, trained_on=False)


def test_where_every_factor_is_hidden_the_page_is_about_units_and_lists_factors() -> None:
    page = render_page(replace(FACTS, factors=[replace(each, shown=False) for each in FACTORS]), ReportPictures())
    assert "Hidden or left over: 3" in page
    assert "Units one by one" not in page
    assert "<p>Units of " in page
    assert "find the units, to rank" in page
    assert "Name a unit" in page


def test_without_a_decoder_nothing_is_said_of_effects_or_names() -> None:
    assert "change the same thing" in render_page(FACTS, PICTURES)
    units = [replace(unit, swap=None) for unit in FACTS.units]
    facts = replace(FACTS, units=units, reconstruction=None, swap_consistency=None, no_edits="no decoder.")
    page = render_page(facts, ReportPictures())
    assert "change the same thing" not in page
    assert "no name is measured and no verdict given" in page
