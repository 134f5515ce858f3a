import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from unweave.evaluation.metrics.mcc import (
    absolute_correlations,
    absolute_rank_correlations,
    mcc,
    mcc_rotated,
    mcc_spearman,
)

BOTH = pytest.mark.parametrize("measure", [mcc, mcc_spearman])


def tables(seed, rows=60, units=4, factors=3):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, (rows, factors))
    return y @ rng.normal(size=(factors, units)) + rng.normal(size=(rows, units)), y


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_matrices_are_scipys(seed):
    units, factors = tables(seed)
    for ours, scipys in ((absolute_correlations, pearsonr), (absolute_rank_correlations, spearmanr)):
        expected = [[abs(scipys(u, f)[0]) for f in factors.T] for u in units.T]
        assert ours(units, factors.astype(float)) == pytest.approx(np.array(expected), abs=1e-9)


@BOTH
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_it_is_the_best_of_all_assignments(measure, seed, units):
    z, y = tables(seed, units=units)
    matrix = np.pad(
        (absolute_correlations if measure is mcc else absolute_rank_correlations)(z, y.astype(float)), ((0, 3), (0, 0))
    )
    best = max(matrix[list(rows), range(3)].sum() for rows in itertools.permutations(range(len(matrix)), 3))
    assert measure(z, y)["mcc"] == pytest.approx(best / 3, abs=1e-9)


@BOTH
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(4)), st.lists(st.sampled_from([-2.0, 4, -0.5]), min_size=4))
def test_order_sign_and_scale_of_the_units_do_not_matter(measure, seed, order, scale):
    units, factors = tables(seed)
    changed = units[:, order] * np.array(scale[:4]) + 3
    assert 0 <= measure(units, factors)["mcc"] <= 1
    assert measure(changed, factors)["mcc"] == pytest.approx(measure(units, factors)["mcc"], abs=1e-9)


@BOTH
def test_one_unit_per_factor_scores_one_and_random_codes_about_chance(measure):
    _, factors = tables(0, rows=2000)
    assert measure(-3.0 * factors[:, [2, 0, 1]], factors)["mcc"] == pytest.approx(1)
    assert measure(np.random.default_rng(1).normal(size=(2000, 4)), factors)["mcc"] < 0.06


def test_a_warped_factor_scores_one_in_spearman_only():
    factors = np.arange(50)[:, None] % 10
    warped = np.exp(factors.astype(float))
    assert mcc_spearman(warped, factors)["mcc"] == pytest.approx(1)
    assert mcc(warped, factors)["mcc"] < 0.8


def test_the_names_of_classes_matter():  # the counter-example: a categorical factor has no order
    factor = np.arange(60)[:, None] % 3
    renamed = np.array([0, 2, 1])[factor]
    assert mcc(factor.astype(float), factor)["mcc"] == pytest.approx(1)
    assert mcc(factor.astype(float), renamed)["mcc"] == pytest.approx(0.5)


def test_factors_without_a_unit_of_their_own_count_zero():
    _, factors = tables(0, rows=5000)
    assert mcc(factors[:, :1].astype(float), factors)["mcc"] == pytest.approx(1 / 3)


def test_real_valued_factors_may_be_negative():
    factors = np.random.default_rng(0).normal(size=(40, 2))
    assert mcc(-factors, factors)["mcc"] == pytest.approx(1)


@BOTH
def test_constants_and_huge_numbers(measure):
    units, factors = tables(0)
    constant = np.full((60, 1), 0.1)
    assert measure(np.hstack([units, constant]), factors) == measure(units, factors)
    assert measure(units, np.hstack([factors, np.full((60, 1), 7)])) == measure(units, factors)
    assert measure(constant, factors)["mcc"] == 0
    assert measure(units * 1e200, factors)["mcc"] == pytest.approx(measure(units, factors)["mcc"])
    with pytest.raises(ValueError, match="every factor is constant"):
        measure(units, factors * 0)


@BOTH
def test_what_cannot_be_measured_is_refused(measure):
    units, factors = tables(0)
    with pytest.raises(ValueError, match=r"codes .* 1 numbers"):
        measure(np.where(units == units[3, 1], np.nan, units), factors)
    with pytest.raises(ValueError, match=r"factors .* infinite"):
        measure(units, np.full((60, 1), np.inf))


@pytest.mark.parametrize(("units", "null"), [(2, 0.899), (3, 0.826), (6, 0.692)])
def test_the_null_of_independent_coordinates_is_that_of_random_rotations(units, null):
    z = np.random.default_rng(0).uniform(size=(4000, units))
    scores = mcc_rotated(z, z)
    assert [scores["mcc"], scores["excess"]] == pytest.approx([1, 1])
    assert scores["rotated"] == pytest.approx(null, abs=0.012)


def test_a_turned_code_has_no_excess_and_mcc_is_the_plain_one():
    z = np.random.default_rng(1).uniform(size=(2000, 3))
    turns = [np.linalg.qr(np.random.default_rng(i).normal(size=(3, 3)))[0] for i in range(40)]
    scores = [mcc_rotated((z - 0.5) @ turn, z) for turn in turns]
    assert all(score["mcc"] == mcc((z - 0.5) @ turn, z)["mcc"] for score, turn in zip(scores, turns))
    assert np.ptp([score["rotated"] for score in scores]) < 0.02
    assert abs(np.mean([score["excess"] for score in scores])) < 0.2


def test_one_unit_cannot_be_turned():
    z = np.random.default_rng(1).uniform(size=(200, 1))
    assert mcc_rotated(z, z) == pytest.approx({"mcc": 1, "rotated": 1, "excess": 0})
