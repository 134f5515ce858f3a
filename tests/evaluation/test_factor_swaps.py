from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import Recorder
from tests.evaluation.shades import FACTORS, Shades, shade_dataset, shade_pictures

from unweave import progress
from unweave.data.views import View
from unweave.evaluation import factor_swaps
from unweave.evaluation.factor_swaps import judge_factors, judge_run, picture_difference, swap_evidence
from unweave.factors.factor import Factor
from unweave.runs.factors import require_factors
from unweave.runs.run import Run

METHOD = Shades()
CODES = METHOD.encode(shade_pictures(2_000)).numpy()


def test_factors_that_are_true_are_one_thing_each_and_keep_the_rest() -> None:
    named = [FACTORS[0].named("left"), *FACTORS[1:]]
    judged = judge_factors(METHOD, CODES, named)
    assert [factor.verdict for factor in judged] == ["one thing"] * 4
    assert [factor.name for factor in judged] == ["left", None, None, None]
    assert [factor.units for factor in judged] == [factor.units for factor in FACTORS]


def test_two_in_one_are_mixed() -> None:
    judged = judge_factors(METHOD, CODES, [Factor((0, 2), 0.2), FACTORS[1], FACTORS[3]])
    assert [factor.verdict for factor in judged] == ["several things mixed", "one thing", "one thing"]


def test_evidence_has_the_effect_and_follows_from_the_seed() -> None:
    evidence, again, other = (swap_evidence(METHOD, CODES, FACTORS[:1], seed=seed)[0] for seed in (0, 0, 1))
    assert evidence == again != other
    assert evidence.effect == pytest.approx(1 / 3 / 4, rel=0.15)  # of two uniform shades, in a quarter of the pixels
    assert abs(evidence.own_error) < 1e-3
    assert abs(evidence.other_error) < 1e-3


@pytest.mark.parametrize("images", [999, 1_000])
def test_few_images_have_no_verdict(images: int, factored_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factor_swaps, "SWAPPED", 2)
    monkeypatch.setattr(factor_swaps, "BANK", 62)
    factors = require_factors(factored_run).factors
    dataset = View(factored_run.dataset(), np.arange(images), "few")
    judged = judge_run(factored_run, dataset, factors, 0)
    assert [factor.verdict is None for factor in judged] == [images < 1_000] * 3
    assert [factor.units for factor in judged] == [factor.units for factor in factors]


def test_units_that_hold_next_to_nothing_are_left_over(factored_run: Run) -> None:
    factors = [replace(factor, effect=factor.effect / 100) for factor in require_factors(factored_run).factors]
    dataset = View(factored_run.dataset(), np.arange(1_000), "few")
    recorder = Recorder()
    with progress.use(recorder):
        judged = judge_run(factored_run, dataset, factors, 0)
    assert [factor.verdict for factor in judged] == ["leftover"] * 3
    assert "hold next to nothing" in recorder.messages[-1]


def test_two_pictures_differ_by_the_mean_over_their_pixels() -> None:
    dataset = shade_dataset(2_000)
    assert picture_difference(dataset, np.arange(2_000), 0) == pytest.approx(1 / 3, rel=0.1)  # of two uniform shades


def test_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="1,000 rows or more, got 999"):
        swap_evidence(METHOD, CODES[:999], FACTORS)
    assert len(swap_evidence(METHOD, np.ascontiguousarray(CODES[:1_000]), FACTORS)) == 4
