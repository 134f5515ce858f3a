import json
from dataclasses import replace

import numpy as np
import pytest

import unweave
from unweave.factors.factor import Factor
from unweave.runs.factors import (
    FACTORS_FILE,
    RunFactors,
    are_current,
    factor_title,
    hide_factor,
    keep_by_hand,
    read_factors,
    require_factors,
    with_measurements,
    write_factors,
)
from unweave.runs.run import Run


def test_what_is_read_is_what_was_written(factored_run: Run) -> None:
    found = require_factors(factored_run)
    first, second, third = found.factors
    assert (first.units, second.units, third.units) == ((0, 2), (1,), (3,))
    assert first.coordinate is not None
    assert first.coordinate.closed
    assert first.coordinate.knots.shape == (16, 2)
    assert second.states[1].position == 0.75
    assert (second.measured, second.agreement, second.verdict) == ("size", 0.9, "one thing")
    assert third.coordinate is None
    write_factors(factored_run, found)
    again = require_factors(factored_run)
    assert json.dumps(again.to_json()) == json.dumps(found.to_json())
    np.testing.assert_allclose(again.factors[0].coordinate.knots, first.coordinate.knots, atol=1e-6)


def test_a_run_whose_factors_were_never_found_says_how(quick_run: Run) -> None:
    assert read_factors(quick_run) is None
    with pytest.raises(LookupError, match=r"`unweave factors .*` finds them"):
        require_factors(quick_run)


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: "[3",
        lambda stored: "[]",
        lambda stored: json.dumps({"factors": []}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][0], "units": []}]}),
        lambda stored: json.dumps({**stored, "factors": [stored["factors"][0], stored["factors"][0]]}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][0], "verdict": "good"}]}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][0], "coordinate": {"closed": True}}]}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][0], "agreement": 0.5}]}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][1], "agreement": None}]}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][1], "agreement": "high"}]}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][0], "units": [0, 1, 2]}]}),
        lambda stored: json.dumps({**stored, "factors": [{**stored["factors"][2], "units": [4]}]}),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(factored_run: Run, change) -> None:
    path = factored_run.path / FACTORS_FILE
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(ValueError, match=r"(?s)factors\.json is damaged .* remove it, and `unweave factors"):
        read_factors(factored_run)


def test_words_and_names_ask_for_a_factor(factored_run: Run) -> None:
    found = require_factors(factored_run)
    named = found.with_factor(2, found.factors[2].named("floor hue"))
    assert [named.index(word) for word in ("f1", "f2", "f3", "floor  hue")] == [0, 1, 2, 2]
    with pytest.raises(LookupError, match=r"no factor 'f4'; this run has f1 \.\. f3 and the names floor hue"):
        named.index("f4")
    titles = [factor_title(named.word(index), factor) for index, factor in enumerate(named.factors)]
    assert titles == ["f1", "f2, size", "floor hue"]


def test_what_is_hidden_or_leftover_is_not_shown_unasked(factored_run: Run) -> None:
    assert require_factors(factored_run).shown() == [0, 1]
    assert hide_factor(factored_run, "f1").shown() == [1]
    assert unweave.hide_factor(factored_run.path, "f2").shown() == [2]  # better than nothing
    assert hide_factor(factored_run, "f1", hidden=False).shown() == [0]
    found = require_factors(factored_run)
    assert found.factors[1].hidden
    assert found.with_factor(2, Factor((3,), 0.001)).shown() == [0]  # it changes next to nothing
    with pytest.raises(LookupError, match="no factor 'f9'"):
        hide_factor(factored_run, "f9")


def test_hand_edits_stay_with_the_same_units(factored_run: Run) -> None:
    before = require_factors(factored_run)
    before = before.with_factor(0, replace(before.factors[0], name="hue", hidden=True))
    found = RunFactors((Factor((1, 3), 0.2), Factor((2, 0), 0.1)), "other", 200, 1)
    kept = keep_by_hand(found, before)
    assert [(factor.name, factor.hidden) for factor in kept.factors] == [(None, False), ("hue", True)]
    assert (kept.weights, kept.seed) == ("other", 1)
    assert keep_by_hand(found, None).factors == found.factors


def test_factors_are_of_the_weights_that_they_were_found_with(factored_run: Run) -> None:
    found = require_factors(factored_run)
    assert are_current(factored_run, found)
    assert not are_current(factored_run, replace(found, weights="0" * 16))


def test_what_is_measured_is_kept_beside_what_was_done_by_hand(factored_run: Run) -> None:
    found = require_factors(factored_run)
    measured = [replace(found.factors[0], measured="hue", agreement=0.9, name=None), Factor((7,), 0.1, measured="area")]
    by_hand = found.with_factor(0, found.factors[0].named("mine"))
    first, second, third = with_measurements(by_hand, measured).factors
    assert (first.name, first.measured, first.agreement) == ("mine", "hue", 0.9)
    assert (second.measured, third.measured) == ("size", None)
