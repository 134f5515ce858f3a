import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.information import discretise, mutual_information
from unweave.evaluation.metrics.unsupervised import unsupervised


def test_golden(golden):
    scores, expected = unsupervised(golden.units[golden.rows["train"]]), golden.scores["unsup"]
    names = {
        "gaussian_total_correlation": "gaussian_total_correlation",
        "gaussian_wasserstein_correlation": "gaussian_wasserstein_correlation",
        "gaussian_wasserstein_correlation_normalised": "gaussian_wasserstein_correlation_norm",
        "mutual_information": "mutual_info_score",
    }
    assert scores == pytest.approx({ours: expected[theirs] for ours, theirs in names.items()}, abs=1e-6)


def test_closed_form_of_two_units():
    z = np.random.default_rng(0).normal(size=(400, 2))
    z -= z.mean(0)
    white = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    rho = 0.6
    scores = unsupervised(white @ np.linalg.cholesky(np.array([[1, rho], [rho, 1]])).T)
    assert scores["gaussian_total_correlation"] == pytest.approx(-0.5 * np.log(1 - rho**2))
    distance = 4 - 2 * (np.sqrt(1 + rho) + np.sqrt(1 - rho))
    assert scores["gaussian_wasserstein_correlation"] == pytest.approx(distance)
    assert scores["gaussian_wasserstein_correlation_normalised"] == pytest.approx(distance / 2)


def test_independent_units_score_zero():
    grid = np.stack(np.unravel_index(np.arange(60), (5, 3, 4)), axis=1).astype(float)
    assert unsupervised(grid) == pytest.approx(dict.fromkeys(unsupervised(grid), 0), abs=1e-12)


def test_a_copied_unit_is_infinitely_far_from_independent():
    z = np.random.default_rng(0).normal(size=(100, 1))
    scores = unsupervised(np.concatenate([z, -2 * z, z], axis=1))
    assert scores["gaussian_total_correlation"] == np.inf
    same = unsupervised(np.repeat(z, 3, axis=1))
    assert same["gaussian_wasserstein_correlation_normalised"] == pytest.approx(2 - 2 / np.sqrt(3))
    entropy = mutual_information(discretise(z), discretise(z))[0, 0]
    assert same["mutual_information"] == pytest.approx(entropy)


def test_fewer_rows_than_units_have_dependent_units():
    scores = unsupervised(np.random.default_rng(0).normal(size=(5, 8)))
    assert scores["gaussian_total_correlation"] == np.inf
    assert 0 < scores["gaussian_wasserstein_correlation_normalised"] < 2


@pytest.mark.parametrize("units", [np.ones((20, 3)), np.arange(20.0)[:, None], np.ones((1, 3))])
def test_fewer_than_two_units_that_vary_score_zero(units):
    assert set(unsupervised(units).values()) == {0.0}


def test_constant_units_are_left_out():
    z = np.random.default_rng(0).normal(size=(50, 3))
    assert unsupervised(np.concatenate([np.full((50, 2), 0.1), z], axis=1)) == unsupervised(z)


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        unsupervised(np.array([[1.0, np.nan], [2.0, 3.0]]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(10, 80))
def test_the_definition_the_range_and_the_invariances(seed, width, rows):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, width)) @ rng.normal(size=(width, width))
    covariance = np.cov(z.T)
    scores = unsupervised(z)
    root = scipy.linalg.sqrtm(covariance @ np.diag(np.diag(covariance)))
    wasserstein = 2 * np.trace(covariance) - 2 * np.trace(root).real
    assert scores["gaussian_wasserstein_correlation"] == pytest.approx(wasserstein, rel=1e-6, abs=1e-6)
    assert min(scores.values()) >= 0
    assert scores["gaussian_wasserstein_correlation_normalised"] < 2
    assert scores["mutual_information"] <= np.log(20)
    changed = unsupervised(4 * z[:, rng.permutation(width)])
    changed["gaussian_wasserstein_correlation"] /= 16
    assert changed == pytest.approx(scores, rel=1e-6)
    sign = unsupervised(z * rng.choice([-1, 1], width) + 3)
    assert [*sign.values()][:3] == pytest.approx([*scores.values()][:3], rel=1e-6)


def test_the_scale_of_one_unit_matters_to_the_wasserstein_correlation_only():
    z = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1, 0.7], [0, 1]])
    plain, scaled = unsupervised(z), unsupervised(z * [8, 1])
    for name in ("gaussian_total_correlation", "mutual_information"):
        assert scaled[name] == pytest.approx(plain[name])
    name = "gaussian_wasserstein_correlation_normalised"
    assert abs(scaled[name] - plain[name]) > 0.05
