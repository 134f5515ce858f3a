from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_sample_image
from tests.evaluation.stored_json import stored

from unweave.evaluation.report.drawings import STEPS, TRAVERSED
from unweave.evaluation.report.measure_units import EXTREMES, MAX_UNITS
from unweave.evaluation.report.page import render_page
from unweave.evaluation.report.pictures import ExtremeImages, ReportPictures
from unweave.runs.report_facts import AsideFacts, ReportFacts

FACTS = ReportFacts.from_json(stored("report-encdiff"))


@pytest.mark.slow
def test_a_page_of_photographs_stays_below_five_megabytes() -> None:
    photo = load_sample_image("china.jpg")  # 427 x 640: detail everywhere
    crops = np.stack([photo[at : at + 128, 2 * at : 2 * at + 128] for at in range(0, 240, 20)])
    unit = replace(FACTS.units[0], values=replace(FACTS.units[0].values, correlations={}))
    words = [str(number) for number in range(MAX_UNITS)]
    facts = replace(FACTS, units=[replace(unit, word=word, name=word) for word in words])
    pictures = ReportPictures(
        strips={word: [crops[:STEPS]] * TRAVERSED for word in words},
        maps={word: crops[0].mean(2) for word in words},
        background=crops[0],
        ends={word: ExtremeImages(crops[:EXTREMES], crops[:EXTREMES]) for word in words},
    )
    assert 1e6 < len(render_page(facts, pictures)) < 5e6


def test_a_method_without_a_decoder_has_no_pictures_and_says_why() -> None:
    units = [replace(unit, swap=None) for unit in FACTS.units]
    facts = replace(FACTS, units=units, reconstruction=None, swap_consistency=None, no_edits="pca has no decoder.")
    page = render_page(facts, ReportPictures())
    assert "pca has no decoder." in page
    assert "Units, by spread" in page
    assert "What the units hold" not in page
    assert "<img" not in page


def test_units_of_one_spread_have_no_order_and_images_seen_once_no_repeats() -> None:
    units = [
        replace(unit, swap=None, state="live", copy_of=None, values=replace(unit.values, spread=1.0))
        for unit in FACTS.units
    ]
    once = {"units": units, "reconstruction": None, "swap_consistency": None, "no_edits": "there is none."}
    page = render_page(replace(FACTS, images_seen=FACTS.data.images, **once), ReportPictures())
    assert "all scaled to one spread" in page
    assert "with repeats" not in page
    assert "with repeats" in render_page(replace(FACTS, images_seen=FACTS.data.images + 1), ReportPictures())


def test_no_live_unit_says_to_train_longer() -> None:
    facts = replace(FACTS, units=[replace(unit, state="dead", copy_of=None) for unit in FACTS.units])
    page = render_page(facts, ReportPictures())
    assert "No unit does anything" in page
    assert f"Dead units: {len(facts.units)}" in page


def test_without_a_decoder_rows_are_called_real_images() -> None:
    units = [replace(unit, swap=None, state="live", copy_of=None) for unit in FACTS.units]
    facts = replace(FACTS, units=units, reconstruction=None, swap_consistency=None, no_edits="there is none.")
    page = render_page(facts, ReportPictures(strips={units[0].word: [np.zeros((STEPS, 8, 8, 3), np.uint8)]}))
    assert "Real images from low to high" in page
    assert "unweave edit traverse" not in page


def test_the_first_lines_say_what_was_left_out_and_why() -> None:
    reasons = [f"photos/{i}<b>.png cannot be read and is left out: it is cut short" for i in range(12)]
    facts = replace(FACTS, data=replace(FACTS.data, left_out=reasons))
    assert ReportFacts.from_json(facts.to_json()) == facts
    page = render_page(facts, ReportPictures())
    header = page[: page.index("</header>")]
    assert "Left out: 12 files that could not be read." in header
    assert "photos/0&lt;b&gt;.png cannot be read and is left out: it is cut short" in header
    assert "and 2 more, which report.json names" in header
    assert "Left out" not in render_page(FACTS, ReportPictures())


def test_what_is_set_aside_is_said_with_what_is_still_read_of_it() -> None:
    facts = replace(FACTS, aside=AsideFacts("plate", 0.24, 0.74, 0.27, 0.25, 3_000))
    assert ReportFacts.from_json(facts.to_json()) == facts
    header = render_page(facts, ReportPictures()).partition("</header>")[0]
    said = "plate is set aside.</strong> From the units a fresh reader names it for 24% of images"
    assert said in header
    assert all(share in header for share in ("74%", "27%", "25%"))
    assert "set aside" not in render_page(FACTS, ReportPictures())
