import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from unweave.evaluation.metrics.explicitness import _mean_area, explicitness, predict_probabilities
from unweave.evaluation.metrics.row_sampling import Tables

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (3, 2), (300, 2))
UNITS = FACTORS @ np.array([[1, 0.3, 0], [0, 1, 0.5]]) + 0.4 * RNG.normal(size=(300, 3))


def halves(units, factors=FACTORS):
    return Tables(units[:200], factors[:200]), Tables(units[200:], factors[200:])


def scores(units, factors=FACTORS):
    return explicitness(*halves(units, factors), n_jobs=1)


def test_golden(golden):
    parts = [Tables(golden.units[golden.rows[r]], golden.factors[golden.rows[r]]) for r in ("train", "test_5000")]
    scores, expected = explicitness(*parts, n_jobs=1), golden.scores["modularity"]
    assert scores["explicitness"] == pytest.approx(expected["explicitness_score_test"], abs=2e-3)
    assert scores["explicitness_train"] == pytest.approx(expected["explicitness_score_train"], abs=2e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 80), st.integers(2, 5))
def test_the_area_is_scikit_learns_with_ties(seed, rows, size):
    rng = np.random.default_rng(seed)
    labels = np.append(np.arange(size), rng.integers(0, size, rows))
    probability = rng.random((len(labels), size)).round(1)
    expected = np.mean([roc_auc_score(labels == c, probability[:, c]) for c in range(size)])
    assert _mean_area(probability, np.arange(size), labels) == pytest.approx(expected)


def test_classes_that_only_one_part_has():
    probability = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0]])
    classes = np.array([0, 1, 4])
    assert _mean_area(probability, classes, np.array([0, 1, 1])) == 1  # class 4 is left out
    assert _mean_area(probability, classes, np.array([0, 1, 2])) == pytest.approx(
        (1 + 1 + 0.5) / 3
    )  # class 2 is unknown
    assert np.isnan(_mean_area(probability, classes, np.array([1, 1, 1])))


def test_a_clear_code_scores_one_and_noise_a_half():
    assert scores(FACTORS + 0.01 * RNG.normal(size=(300, 2))) == pytest.approx(
        {"explicitness": 1, "explicitness_train": 1}
    )
    assert scores(RNG.normal(size=(300, 2)))["explicitness"] == pytest.approx(0.5, abs=0.1)
    assert scores(np.ones((300, 2)))["explicitness"] == 0.5


def test_order_signs_scale_and_origin_of_the_units_do_not_matter():
    changed = UNITS[:, [2, 0, 1]] * [-1, 1000, 0.001] + [5, -3, 0]
    assert scores(changed) == pytest.approx(scores(UNITS), abs=1e-3)


def test_a_rotation_hardly_matters():
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    assert scores(UNITS @ rotation)["explicitness"] == pytest.approx(scores(UNITS)["explicitness"], abs=0.02)


def test_a_curve_hides_a_factor_from_a_linear_reader():
    factor = np.arange(300)[:, None] % 3
    assert scores((factor - 1.0) ** 2, factor)["explicitness"] < 0.85


def test_constant_factors_are_left_out():
    assert scores(UNITS, np.pad(FACTORS, ((0, 0), (0, 1)))) == scores(UNITS)
    train, test = halves(UNITS)
    still = test.factors.copy()
    still[:, 0] = 1
    alone = explicitness(Tables(train.units, train.factors[:, 1:]), Tables(test.units, test.factors[:, 1:]), n_jobs=1)
    assert explicitness(train, Tables(test.units, still), n_jobs=1)["explicitness"] == alone["explicitness"]


def test_refusals():
    train, test = halves(UNITS)
    with pytest.raises(ValueError, match="constant in the training rows"):
        explicitness(Tables(train.units, train.factors * 0), test)
    with pytest.raises(ValueError, match="constant in the test rows"):
        explicitness(train, Tables(test.units, test.factors * 0), n_jobs=1)
    with pytest.raises(ValueError, match=r"\(3, 2\) units and factors, test rows \(2, 2\)"):
        explicitness(train, Tables(test.units[:, :2], test.factors))


def test_several_processes_read_what_one_reads():
    one, two = (predict_probabilities(*halves(UNITS), n_jobs=jobs) for jobs in (1, 2))
    for ours, theirs in zip(one, two):
        assert ours.factor == theirs.factor
        assert (ours.test == theirs.test).all()
