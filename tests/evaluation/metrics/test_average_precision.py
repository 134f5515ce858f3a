import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from unweave.evaluation.metrics.average_precision import average_precision, logistic_scores
from unweave.evaluation.metrics.row_sampling import Tables

CHANGES = st.lists(st.sampled_from([-1.0, 2, -100, 0.01]), min_size=5, max_size=5)


def attributes(seed=0, rows=300, noise=1.0):
    rng = np.random.default_rng(seed)
    units = rng.normal(size=(rows, 5)) @ rng.normal(size=(5, 5))
    labels = (units @ rng.normal(size=(5, 3)) + noise * rng.normal(size=(rows, 3)) > [0, 1, 2]).astype(np.int64)
    labels[[0, rows // 2]], labels[[1, rows // 2 + 1]] = 0, 1
    return Tables(units[: rows // 2], labels[: rows // 2]), Tables(units[rows // 2 :], labels[rows // 2 :])


def fitted_apart(train, test):
    scaler = StandardScaler().fit(train.units)
    model = LogisticRegression(tol=1e-10, max_iter=10000)
    return np.stack(
        [
            model.fit(scaler.transform(train.units), y).decision_function(scaler.transform(test.units))
            for y in train.factors.T
        ],
        axis=1,
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 1.0, 5.0]))
def test_the_classifiers_are_scikit_learns(seed, noise):
    train, test = attributes(seed, noise=noise)
    scaler = StandardScaler().fit(train.units)
    scores = logistic_scores(scaler.transform(train.units), train.factors, scaler.transform(test.units))
    expected = fitted_apart(train, test)
    assert scores == pytest.approx(expected, abs=1e-3 * np.abs(expected).max())
    precision = [average_precision_score(y, s) for y, s in zip(test.factors.T, expected.T)]
    assert average_precision(train, test)["mean_average_precision"] == pytest.approx(np.mean(precision), abs=1e-3)


def test_more_units_than_rows():
    rng = np.random.default_rng(0)
    train, test = (Tables(rng.normal(size=(40, 100)), np.arange(80).reshape(40, 2) % 3 % 2) for _ in range(2))
    expected = fitted_apart(train, test)
    scaler = StandardScaler().fit(train.units)
    scores = logistic_scores(scaler.transform(train.units), train.factors, scaler.transform(test.units))
    assert scores == pytest.approx(expected, abs=1e-3 * np.abs(expected).max())


def test_codes_that_tell_the_attributes_score_one_and_random_ones_chance():
    train, test = attributes(rows=4000, noise=0)
    assert average_precision(train, test)["mean_average_precision"] > 0.99
    rng = np.random.default_rng(1)
    random = average_precision(*(Tables(rng.normal(size=t.units.shape), t.factors) for t in (train, test)))
    assert random["mean_average_precision"] == pytest.approx(random["chance"], abs=0.04)
    assert random["chance"] == pytest.approx(test.factors.mean())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(5)), CHANGES)
def test_order_sign_scale_and_origin_of_the_units_do_not_matter(seed, order, scale):
    parts = attributes(seed)
    plain = average_precision(*parts)
    changed = average_precision(*(Tables(t.units[:, order] * np.array(scale) + 3, t.factors) for t in parts))
    assert changed == pytest.approx(plain, abs=2e-3)
    assert 0 <= plain["mean_average_precision"] <= 1


def test_constant_attributes_are_left_out_and_counted():
    train, test = attributes()
    plain = average_precision(train, test)
    column = np.ones((150, 1), np.int64)
    alternating = column * (np.arange(150)[:, None] % 2)
    more = average_precision(
        Tables(train.units, np.hstack([train.factors, column, alternating])),
        Tables(test.units, np.hstack([test.factors, alternating, 0 * column])),
    )
    assert more == pytest.approx({**plain, "attributes_left_out": 2}, abs=1e-4)
    with pytest.raises(ValueError, match="every attribute is constant"):
        average_precision(train, Tables(test.units, test.factors * 0))


def test_constant_codes_rank_at_chance():
    scores = average_precision(*(Tables(np.full((150, 2), 0.1), t.factors) for t in attributes()))
    assert scores["mean_average_precision"] == pytest.approx(scores["chance"])


def test_what_cannot_be_measured_is_refused():
    train, test = attributes()
    with pytest.raises(ValueError, match="rows"):
        average_precision(train, Tables(test.units[1:], test.factors))
    with pytest.raises(ValueError, match="NaN"):
        average_precision(Tables(train.units * np.nan, train.factors), test)
    with pytest.raises(ValueError, match="same columns"):
        average_precision(train, Tables(test.units[:, 1:], test.factors))
    with pytest.raises(ValueError, match="same columns"):
        average_precision(train, Tables(test.units, test.factors[:, 1:]))


def test_labels_that_are_no_attributes_are_refused():
    train, test = attributes()
    with pytest.raises(ValueError, match="0 or 1, got 3"):
        average_precision(Tables(train.units, 3 * train.factors), test)
