import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler

from unweave.evaluation.metrics.udr import pair_score, udr_lasso, udr_spearman

BOTH = pytest.mark.parametrize("measure", [udr_lasso, udr_spearman])


def models(seed=0, rows=300, count=4, mixing=0.5, units=4):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, units))
    return [z @ (np.eye(units) + mixing * rng.normal(size=(units, units))) for _ in range(count)]


def copies(rows=4000, units=5):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(rows, units))
    return [z[:, rng.permutation(units)] * rng.choice([-2.0, 1, 3], units) for _ in range(3)]


def test_copies_that_differ_in_order_sign_and_scale_agree():
    assert udr_spearman(copies()).scores == pytest.approx(1, abs=0.06)
    assert udr_lasso(copies()).scores == pytest.approx(0.9, abs=1e-3)  # the penalty of 0.1


@BOTH
def test_unrelated_codes_do_not_agree(measure):
    rng = np.random.default_rng(0)
    assert measure([rng.normal(size=(2000, 5)) for _ in range(3)]).scores.max() < 0.05


@BOTH
def test_turned_codes_agree_less(measure):
    turned = copies()
    turned[1] = turned[1] @ np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    ranking = measure(turned)
    assert ranking.scores.argmin() == 1
    assert ranking.scores[1] < 0.6


@BOTH
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(4)), st.permutations(range(4)))
def test_order_sign_and_scale_do_not_matter(measure, seed, models_order, order):
    codes = models(seed)
    plain = measure(codes)
    assert (plain.pairs >= 0).all()
    assert measure is udr_lasso or (plain.pairs <= 1 + 1e-9).all()
    changed = measure([codes[m][:, order] * np.array([-1.0, 2, -4, 1]) + 1 for m in models_order])
    assert changed.scores == pytest.approx(plain.scores[models_order], abs=1e-3)


def test_a_models_score_is_the_median_of_how_the_others_explain_it():
    codes = models()
    ranking = udr_lasso(codes)
    scaled = [StandardScaler().fit_transform(z) for z in codes]
    relation = np.abs(Lasso(alpha=0.1).fit(scaled[0], scaled[3]).coef_.T)
    by_hand = [np.nanmean(np.nan_to_num(relation.max(a) ** 2 / relation.sum(a))) for a in (0, 1)]
    assert ranking.pairs[0, 3] == pytest.approx(np.mean(by_hand), abs=1e-3)
    assert ranking.pairs[0, 3] != ranking.pairs[3, 0]
    assert ranking.scores[3] == np.median(ranking.pairs[:3, 3])


def test_spearman_is_symmetric_and_forgives_any_rising_warp():
    codes = models()
    ranking = udr_spearman(codes)
    assert ranking.pairs == pytest.approx(ranking.pairs.T)
    assert udr_spearman([np.exp(z) for z in codes]).scores == pytest.approx(ranking.scores)


def test_lasso_does_not_forgive_a_warp():  # the counter-example
    codes = copies()
    assert udr_lasso([codes[0], np.exp(2 * codes[1]), codes[2]]).scores[1] < 0.6


def test_closed_forms_of_a_pair():
    assert pair_score(np.eye(3)) == 1
    assert pair_score(np.ones((2, 4))) == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert pair_score(np.zeros((2, 2))) == 0
    assert pair_score(np.array([[1.0, 0], [0, 0]])) == pytest.approx(0.5)  # a unit that relates to none counts 0
    assert pair_score(np.zeros((0, 2))) == 0


@BOTH
def test_units_that_are_not_active_do_not_count(measure):
    codes = models()
    noise = [
        np.hstack([z, 1e-4 * np.random.default_rng(9).normal(size=(300, 1)), np.full((300, 1), 0.1)]) for z in codes
    ]
    assert measure(noise).scores == pytest.approx(measure(codes).scores)
    keep = [np.array([True, True, True, True, False, False])] * 4
    assert measure(noise, active=keep).scores == pytest.approx(measure(codes).scores)
    assert (measure(codes, active=[np.zeros(4, bool)] * 4).scores == 0).all()


@BOTH
def test_a_constant_unit_named_active_relates_to_nothing(measure):
    codes = [np.hstack([z[:, :2], np.full((300, 1), 0.1)]) for z in copies(300)]
    ranking = measure(codes, active=[np.ones(3, bool)] * 3)
    assert ((ranking.scores > 0) & (ranking.scores < 0.7)).all()


@BOTH
def test_models_may_differ_in_width_and_have_one_unit(measure):
    codes = copies()
    assert measure([codes[0][:, :1], codes[1], codes[2]]).scores.shape == (3,)
    assert measure([z[:, :1] for z in [codes[0]] * 3]).scores.min() > 0.89


@BOTH
def test_what_cannot_be_compared_is_refused(measure):
    codes = models()
    with pytest.raises(ValueError, match="three or more models, got 2"):
        measure(codes[:2])
    with pytest.raises(ValueError, match="rows"):
        measure([codes[0][1:], *codes[1:]])
    with pytest.raises(ValueError, match="masks"):
        measure(codes, active=[np.ones(3, bool)] * 4)
    with pytest.raises(ValueError, match="NaN"):
        measure([codes[0] * np.nan, *codes[1:]], active=[np.ones(4, bool)] * 4)
    with pytest.raises(ValueError, match="NaN"):
        measure([codes[0] * np.nan, *codes[1:]])
