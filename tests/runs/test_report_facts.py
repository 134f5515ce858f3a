import json
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.stored_json import stored

from unweave.factors.factor import Coordinate, Factor, Mode
from unweave.method import Sampling
from unweave.runs.report_facts import (
    FactorFacts,
    FollowedFactor,
    Histogram,
    PixelError,
    Reconstruction,
    ReportData,
    ReportFacts,
    ReportSettings,
    SwapEffect,
    UnitFacts,
    ValueFacts,
    ValueRange,
)

VALUES = ValueFacts(ValueRange(-1.0, 0.0, 1.5), 0.9, 1.0, Histogram(-2.0, 2.0, [1, 2]), {"1": 0.25})
UNIT = UnitFacts(
    word="0",
    name="hue",
    size=1,
    values=VALUES,
    follows=FollowedFactor("colour", 0.5, 0.75, {"colour": 0.5, "size": 0.1}),
    swap=SwapEffect(0.1, 0.5, None),
    state="copy",
    copy_of="1",
    lowest=["a.png", "b.png"],
    highest=[7, 8],
)
FACTS = ReportFacts(
    run="runs/a",
    method="encdiff",
    data=ReportData("sprites", "1f", 10, [3, 16, 16], True),
    weights="2e",
    images_seen=640,
    settings=ReportSettings(10, 64, 0, Sampling("ddim", 2), 0.9, 0.02),
    not_looked_at=3,
    reconstruction=Reconstruction(PixelError(0.1, 10.0), PixelError(0.01, 20.0)),
    swap_consistency=0.4,
    no_edits=None,
    units=[UNIT],
    seconds=1.5,
)


@pytest.mark.parametrize("name", ["report-encdiff", "report-diti", "report-betavae"])
def test_a_report_of_an_earlier_version_is_read_and_written_as_it_is(name: str) -> None:
    before = stored(name)
    assert ReportFacts.from_json(before).to_json() == before


def test_facts_come_back() -> None:
    written = json.loads(json.dumps(FACTS.to_json()))
    assert ReportFacts.from_json(written) == FACTS
    assert written["data"]["trained on"] is True
    assert written["units"][0]["copy of"] == "1"
    assert written["units"][0]["swap_consistency"] is None
    assert "no edits" not in written


def test_what_is_not_known_has_no_key() -> None:
    unit = UnitFacts("0", "unit 0", 1, VALUES, None, None, "dead", None, None, None)
    written = unit.to_json()
    assert list(written) == [
        "word", "name", "numbers", "range", "spread", "explained", "histogram", "correlations", "state",
    ]  # fmt: skip
    assert UnitFacts.from_json(written) == unit
    assert list(Reconstruction(PixelError(0.1, 10.0), None).to_json()) == ["units alone"]


def test_units_are_sorted_by_what_they_do() -> None:
    assert FACTS.in_state("copy") == [UNIT]
    assert FACTS.in_state("live") == []


def test_what_is_no_report_is_refused() -> None:
    for broken in ({}, {**FACTS.to_json(), "units": [{"word": "0"}]}, []):
        with pytest.raises((KeyError, TypeError)):
            ReportFacts.from_json(broken)  # type: ignore[arg-type]


def test_factors_come_back_with_their_names() -> None:
    circle = Coordinate(True, np.eye(3)[:, :2], np.linspace(0, 1, 101), 0.01)
    hue = Factor((0, 3), 0.08, circle, (Mode(0.1, 0.5), Mode(0.7, 0.5)), "hue of the bottom", 0.97, "one thing")
    factors = [
        FactorFacts("f1", hue, "bottom", True),
        FactorFacts("f2", replace(hue, name="hue of the bottom"), None, True),
        FactorFacts("f3", Factor((1,), 0.01, hidden=True), None, False),
    ]
    written = json.loads(json.dumps(replace(FACTS, factors=factors).to_json()))
    assert [factor["name"] for factor in written["factors"]] == ["hue of the bottom", "hue of the bottom", None]
    assert written["factors"][0]["units"] == [0, 3]
    assert set(written["factors"][0]) >= {"word", "units", "name", "verdict", "coordinate", "states", "acts in"}
    again = ReportFacts.from_json(written)
    assert [each.factor.name for each in again.factors] == [None, "hue of the bottom", None]
    assert json.loads(json.dumps(again.to_json())) == written
