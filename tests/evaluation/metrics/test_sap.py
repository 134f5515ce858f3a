import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.row_sampling import Tables
from unweave.evaluation.metrics.sap import sap, sap_continuous

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (3, 2), (300, 2))
UNITS = 2 * FACTORS @ np.array([[1, 0.3, 0], [0, 1, 0.5]]) - 2 + 0.3 * RNG.normal(size=(300, 3))


def halves(units, factors=FACTORS):
    return Tables(units[:200], factors[:200]), Tables(units[200:], factors[200:])


def test_golden(golden):
    parts = [Tables(golden.units[golden.rows[r]], golden.factors[golden.rows[r]]) for r in ("train", "test_5000")]
    assert sap(*parts)["sap"] == pytest.approx(golden.scores["sap"]["SAP_score"], abs=1e-6)


def test_one_unit_per_binary_factor_scores_what_the_others_lack():
    factors = np.stack([np.arange(640) // 2 % 2, np.arange(640) % 2], axis=1)  # independent, balanced
    tables = Tables(2.0 * factors - 1, factors)
    assert sap(tables, tables)["sap"] == pytest.approx(0.5)


def test_a_factor_copied_into_two_units_scores_zero():
    assert sap(*halves(np.repeat(2.0 * FACTORS - 1, 2, axis=1)))["sap"] == 0
    assert sap_continuous(np.repeat(2.0 * FACTORS - 1, 2, axis=1), FACTORS)["sap"] == pytest.approx(0, abs=1e-12)


def test_the_order_and_the_signs_of_the_units_do_not_matter():
    score = sap(*halves(UNITS))["sap"]
    assert sap(*halves(UNITS[:, [2, 0, 1]]))["sap"] == score
    assert sap(*halves(UNITS * [1, -1, -1]))["sap"] == pytest.approx(score, abs=0.02)


def test_the_scale_of_a_unit_matters_as_the_machine_has_an_absolute_penalty():
    assert abs(sap(*halves(UNITS))["sap"] - sap(*halves(0.01 * UNITS))["sap"]) > 0.05


def test_one_unit_is_compared_with_a_unit_of_zeros():
    alone = UNITS[:, :1]
    beside = np.concatenate([alone, np.zeros_like(alone)], axis=1)
    assert sap(*halves(alone)) == sap(*halves(beside))
    assert sap_continuous(alone, FACTORS) == pytest.approx(sap_continuous(beside, FACTORS))


def test_constant_factors_are_left_out_and_constant_units_score_zero():
    more = np.concatenate([FACTORS, np.full((300, 1), 4)], axis=1)
    assert sap(*halves(UNITS, more)) == sap(*halves(UNITS))
    assert sap_continuous(UNITS, more) == sap_continuous(UNITS, FACTORS)
    assert sap(*halves(np.ones((300, 3))))["sap"] == 0
    assert sap_continuous(np.ones((300, 3)), FACTORS)["sap"] == 0


def test_a_class_that_only_the_test_rows_have_is_missed():
    train, test = halves(UNITS)
    later = Tables(test.units, test.factors + np.array([10, 0]))
    alone = [Tables(part.units, part.factors[:, 1:]) for part in (train, test)]
    assert sap(train, later)["sap"] == pytest.approx(sap(*alone)["sap"] / 2)


def test_refusals():
    train, test = halves(UNITS)
    with pytest.raises(ValueError, match="constant"):
        sap(Tables(train.units, train.factors * 0), test)
    with pytest.raises(ValueError, match="constant"):
        sap_continuous(UNITS, FACTORS * 0)
    with pytest.raises(ValueError, match=r"\(3, 2\) units and factors, test rows \(2, 2\)"):
        sap(train, Tables(test.units[:, :2], test.factors))


def test_continuous_is_the_gap_of_squared_correlations():
    squared = np.corrcoef(UNITS.T, FACTORS.T)[:3, 3:] ** 2
    ranked = np.sort(squared, axis=0)
    assert sap_continuous(UNITS, FACTORS)["sap"] == pytest.approx((ranked[-1] - ranked[-2]).mean())


def test_continuous_leaves_out_units_that_hardly_move():
    tiny = np.concatenate([1e-7 * FACTORS[:, :1], RNG.normal(size=(300, 1))], axis=1)
    assert sap_continuous(tiny, FACTORS[:, :1])["sap"] < 0.05
    assert sap_continuous(100 * tiny, FACTORS[:, :1])["sap"] > 0.95


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(1, 5))
def test_continuous_is_in_0_1_and_sees_no_affine_map(seed, rows, width):
    rng = np.random.default_rng(seed)
    factors = np.concatenate([rng.integers(0, 4, (rows, 2)), np.arange(rows)[:, None]], axis=1)
    units = rng.normal(size=(rows, width))
    score = sap_continuous(units, factors)["sap"]
    assert 0 <= score <= 1
    changed = units[:, rng.permutation(width)] * rng.choice([-3.0, -0.5, 2.0], width) + 7
    assert sap_continuous(changed, factors)["sap"] == pytest.approx(score, abs=1e-9)
    assert sap_continuous(units, 5 + 2 * factors)["sap"] == pytest.approx(score, abs=1e-9)


def test_a_perfect_code_scores_one_if_the_factors_are_independent():
    factors = np.stack(np.unravel_index(np.arange(60), (5, 3, 4)), axis=1)
    assert sap_continuous(factors.astype(float), factors)["sap"] == pytest.approx(1)


def test_a_curved_unit_scores_low_though_it_knows_all():
    factor = np.arange(101)[:, None]
    assert sap_continuous((factor - 50.0) ** 2, factor)["sap"] < 0.01
