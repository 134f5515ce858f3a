import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import mutual_info_classif

from unweave.evaluation.metrics.infomec import (
    explained_log_loss,
    infomec,
    infomec_of_values,
    information_of_numbers,
    normalised_information,
    preference,
    prune_by_quartiles,
    prune_by_range,
)
from unweave.evaluation.metrics.preparation import random_rotation, standardise

BOTH = pytest.mark.parametrize("prune", [prune_by_range, prune_by_quartiles])
RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (5, 3, 4), (600, 3))
CLEAN = FACTORS + 0.01 * RNG.normal(size=FACTORS.shape)
REFERENCE = {  # the authors' code (scikit-learn 1.6.1) on the first 10,000 training rows; both prunings keep all units
    "aligned-0": (0.6434, 0.9152, 0.8886),
    "rotated-1": (0.4772, 0.6189, 0.8956),
    "duplicated-2": (0.9055, 0.4465, 0.9927),
    "random-3": (0.1192, 0.0434, 0.0025),
    "mixed-4": (0.4512, 0.2794, 0.4898),
}


def of(golden, request):
    rows = golden.rows["train"][:10_000]
    kind = request.node.callspec.params["golden"]
    return golden.units[rows], golden.factors[rows], REFERENCE[kind]


@BOTH
def test_golden_modularity_and_compactness(golden, request, prune):
    units, factors, (infom, infoc, _) = of(golden, request)
    assert prune(units).all()
    share = normalised_information(units, factors)
    assert [preference(share), preference(share.T)] == pytest.approx([infom, infoc], abs=1e-3)


@pytest.mark.slow
def test_golden_explicitness(golden, request):
    units, factors, (_, _, infoe) = of(golden, request)
    assert explained_log_loss(standardise(units.astype(float)), factors) == pytest.approx(infoe, abs=5e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(300, 600), st.integers(1, 6), st.booleans())
def test_the_information_is_scikit_learns(seed, rows, classes, is_tied):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    numbers = labels + rng.normal(size=rows)
    numbers = standardise((numbers.round() if is_tied else numbers)[:, None])[:, 0]
    numbers = numbers + 1e-10 * rng.normal(size=rows)  # as both do, before
    expected = mutual_info_classif(numbers[:, None], labels, discrete_features=False, n_neighbors=10, random_state=0)
    # below 20 rows a class scikit-learn takes distances from squares, and rounds them
    tolerance = 0.08 if is_tied else 1e-6  # their jitter breaks ties in another order
    assert information_of_numbers(numbers, labels) == pytest.approx(expected[0], abs=tolerance)


@BOTH
def test_a_unit_for_each_factor_scores_one_and_copies_lower_compactness_alone(prune):
    scores = infomec(CLEAN, FACTORS, prune)
    assert [scores["infom"], scores["infoc"]] == pytest.approx([1, 1], abs=0.03)
    assert scores["active_units"] == 3
    twice = infomec(np.repeat(CLEAN, 2, axis=1), FACTORS, prune)
    assert [twice["infom"], twice["infoc"]] == pytest.approx([1, (1 / 2 - 1 / 6) / (1 - 1 / 6)], abs=0.03)


@BOTH
def test_turned_codes_keep_what_they_explain_and_lose_their_axes(prune):
    turned = standardise(CLEAN) @ random_rotation(3, np.random.RandomState(1))
    before, after = infomec(CLEAN, FACTORS, prune), infomec(turned, FACTORS, prune)
    assert after["infom"] < 0.6 * before["infom"]
    assert after["infoc"] < 0.6 * before["infoc"]
    assert after["infoe"] == pytest.approx(before["infoe"], abs=0.1)


def test_few_rows_and_many_units_explain_what_they_do_not_know_and_the_null_says_so():
    noise = RNG.normal(size=(200, 60))
    scores = infomec(noise, FACTORS[:200], prune_by_range)
    assert scores["infoe"] > 0.3
    assert scores["infoe"] == pytest.approx(scores["infoe_null"], abs=0.1)
    many = np.random.default_rng(1)
    scores = infomec(many.normal(size=(4000, 3)), many.integers(0, 3, (4000, 2)), prune_by_range)
    assert scores["infoe"] == pytest.approx(0, abs=0.01)
    assert scores["infoe_null"] == pytest.approx(0, abs=0.01)


def test_units_of_noise_count_as_much_as_good_ones():
    noisy = np.hstack([CLEAN, RNG.normal(size=(600, 3))])
    assert infomec(noisy, FACTORS, prune_by_range)["infom"] < 0.85


def test_prunings_differ_where_a_unit_is_quiet_but_for_some_rows():
    rare = np.where(np.arange(600) % 100 == 0, 4.0, 0.0)[:, None]
    small = 0.01 * RNG.normal(size=(600, 1))
    units = np.hstack([CLEAN, rare, small])
    assert prune_by_range(units).tolist() == [True, True, True, True, False]
    assert prune_by_quartiles(units).tolist() == [True, True, True, False, False]


def test_a_unit_of_small_scale_is_left_out():
    scales = np.array([1, 1, 0.001])
    assert infomec(CLEAN * scales, FACTORS, prune_by_range)["active_units"] == 2
    assert infomec(CLEAN * scales, FACTORS, prune_by_quartiles)["active_units"] == 2


def test_the_ratio_is_taken_to_zero_and_one():
    assert preference(np.eye(3)) == pytest.approx(1)
    assert preference(np.ones((4, 3))) == pytest.approx(0)
    assert preference(np.array([[0.0, 0, 0], [1, 0, 0]])) == pytest.approx(0.5)
    assert preference(np.zeros((0, 3))) == 0
    assert preference(np.ones((3, 1))) == 1


@BOTH
def test_constant_units_have_no_scores(prune):
    scores = infomec(np.ones((600, 2)), FACTORS, prune)
    assert scores == pytest.approx({"infom": 0, "infoc": 0, "infoe": 0, "infoe_null": 0, "active_units": 0}, abs=1e-6)


def test_without_units_classes_are_equally_probable_whatever_their_frequency():
    rare = (np.arange(600) % 20 == 0).astype(np.int64)[:, None]
    assert explained_log_loss(np.zeros((600, 1)), rare) == pytest.approx(0, abs=1e-6)


def test_units_of_few_values_are_counted():
    scores = infomec_of_values(FACTORS[:, [1, 0, 2, 0]] / 7, FACTORS)
    one, two = 0.99, (1 / 2 - 1 / 4) / (1 - 1 / 4)  # the factor of two units prefers neither
    assert scores["infom"] == pytest.approx(one, abs=0.05)
    assert scores["infoc"] == pytest.approx((2 * one + two) / 3, abs=0.05)
    assert scores["infoe"] == pytest.approx(1, abs=0.02)
    assert scores["infoe_null"] < 0.05
    assert scores["active_units"] == 4
    constant = np.hstack([FACTORS, np.zeros((600, 1))])
    assert infomec_of_values(constant, FACTORS)["active_units"] == 3
    with pytest.raises(ValueError, match=r"unit 1 has 600 values in 600 rows"):
        infomec_of_values(np.stack([FACTORS[:, 0], np.arange(600)], axis=1), FACTORS)
