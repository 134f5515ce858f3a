import json
from dataclasses import replace

import pytest
from tests.conftest import Recorder

import unweave
from unweave import progress
from unweave.evaluation import run_factors
from unweave.factors.factor import Factor
from unweave.runs.factors import read_factors, require_factors, write_factors
from unweave.runs.lock import BusyError
from unweave.runs.run import Run

pytestmark = pytest.mark.usefixtures("few_pairs")


@pytest.fixture
def few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_factors, "PAIRS", 4)


def units_of(found: run_factors.RunFactors) -> list[tuple[int, ...]]:
    return [factor.units for factor in found.factors]


def test_merged_factors_are_one_and_are_measured_again(factored_run: Run) -> None:
    unweave.name_factor(factored_run, "f2", "size")
    merged = unweave.merge_factors(factored_run, ["f3", "size"])
    assert units_of(merged) == [(0, 2), (1, 3)]
    one = merged.factors[1]
    assert (one.name, one.measured, one.verdict) == ("size", None, None)
    assert one.effect > 0
    assert one.coordinate is None or one.coordinate.knots.shape[1] == 2
    assert units_of(require_factors(factored_run)) == units_of(merged)
    swapped = unweave.swap(factored_run, [0], [1], "size", sampling=unweave.Sampling("ddim", 2)).images
    both = unweave.swap(factored_run, [0], [1], "1,3", sampling=unweave.Sampling("ddim", 2)).images
    assert swapped.shape[1] == 1
    assert not swapped[:, 0].equal(both[:, 0])


def test_a_merged_factor_is_judged_again_with_all_others(factored_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def judge(run: Run, dataset: object, factors: tuple[Factor, ...], seed: int) -> list[Factor]:
        asked.append([factor.units for factor in factors])
        return [replace(factor, verdict="several things mixed", name=None, hidden=False) for factor in factors]

    monkeypatch.setattr(run_factors, "judge_run", judge)
    assert run_factors.judge_again(factored_run).factors[0].verdict == "one thing"
    assert not asked  # all have a verdict
    unweave.name_factor(factored_run, "f1", "hue")
    unweave.hide_factor(factored_run, "f1")
    unweave.merge_factors(factored_run, ["f2", "f3"])
    judged = run_factors.judge_again(factored_run)
    assert asked == [[(0, 2), (1, 3)]]
    assert [factor.verdict for factor in judged.factors] == ["several things mixed"] * 2
    assert (judged.factors[0].name, judged.factors[0].hidden) == ("hue", True)
    assert json.dumps(require_factors(factored_run).to_json()) == json.dumps(judged.to_json())
    write_factors(factored_run, replace(judged, weights="0" * 16))
    with pytest.raises(ValueError, match="before further training"):
        run_factors.judge_again(factored_run)


def test_a_unit_that_is_split_off_is_the_last_factor(factored_run: Run) -> None:
    unweave.name_factor(factored_run, "f1", "hue")
    split = unweave.split_factor(factored_run, "hue", [2])
    assert units_of(split) == [(0,), (1,), (3,), (2,)]
    assert [factor.name for factor in split.factors] == ["hue", None, None, None]
    line = split.factors[3].coordinate
    assert line is not None  # one number is its own curve
    low, high = factored_run.statistics().quantiles[[0, 100], 2]
    assert sorted(line.knots[:, 0]) == pytest.approx([low, high], abs=0.5 * (high - low))
    again = unweave.merge_factors(factored_run, "hue, f4")
    assert units_of(again) == [(0, 2), (1,), (3,)]


def test_what_cannot_be_merged_or_split_is_explained(factored_run: Run) -> None:
    for few in (["f1"], ["f1", "f1"], []):
        with pytest.raises(ValueError, match="takes two factors"):
            run_factors.merge_factors(factored_run, few)
    with pytest.raises(LookupError, match="no factor 'f7'"):
        run_factors.merge_factors(factored_run, ["f1", "f7"])
    for units in ([0, 2], [1], [], "0,2"):
        with pytest.raises(ValueError, match="has the units 0, 2: split off some"):
            run_factors.split_factor(factored_run, "f1", units)
    with pytest.raises(ValueError, match="by number, such as 3,8; got 'hue'"):
        run_factors.split_factor(factored_run, "f1", "hue")
    write_factors(factored_run, replace(require_factors(factored_run), weights="0" * 16))
    with pytest.raises(ValueError, match="before further training"):
        run_factors.split_factor(factored_run, "f1", [2])


def test_factors_are_found_once_and_again_when_asked(factored_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: object) -> list[Factor]:
        return [Factor((1, 3), 0.3), Factor((2, 0), 0.1)]

    monkeypatch.setattr(run_factors, "find_factors", find)
    unweave.name_factor(factored_run, "f1", "hue")
    unweave.name_factor(factored_run, "f2", "size")
    unweave.hide_factor(factored_run, "hue")
    before = run_factors.factors_of(factored_run)
    assert units_of(before) == [(0, 2), (1,), (3,)]
    recorder = Recorder()
    with progress.use(recorder):
        again = unweave.factors_of(factored_run, again=True, seed=3)
    assert units_of(again) == [(1, 3), (2, 0)]
    assert [(factor.name, factor.hidden) for factor in again.factors] == [(None, False), ("hue", True)]
    assert (again.weights, again.seed) == (factored_run.digest(), 3)
    assert any("that were called size" in message for message in recorder.messages)
    (factored_run.path / "factors.json").unlink()
    assert read_factors(factored_run) is None
    assert units_of(unweave.factors_of(factored_run.path)) == [(1, 3), (2, 0)]


def test_others_write_while_a_factor_is_measured_and_nothing_of_theirs_is_lost(
    factored_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = run_factors.measure_factor

    def name_meanwhile(run: Run, found: run_factors.RunFactors, units: list[int]) -> Factor:
        unweave.name_factor(run, "f1", "hue")  # waits for nobody
        return measure(run, found, units)

    monkeypatch.setattr(run_factors, "measure_factor", name_meanwhile)
    with pytest.raises(BusyError, match="were changed while"):
        unweave.merge_factors(factored_run, ["f2", "f3"])
    assert [factor.name for factor in require_factors(factored_run).factors] == ["hue", None, None]
