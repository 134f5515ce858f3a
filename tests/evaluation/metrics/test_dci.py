import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from unweave.evaluation.metrics.dci import FactorPredictions, dci, dci_of_groups, disentanglement
from unweave.evaluation.metrics.row_sampling import Tables


def tables(rows=300, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, (3, 2), (rows, 2))
    units = np.concatenate([factors + noise * rng.normal(size=(rows, 2)), rng.normal(size=(rows, 1))], axis=1)
    return Tables(units[: rows // 2], factors[: rows // 2]), Tables(units[rows // 2 :], factors[rows // 2 :])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 8))
def test_disentanglement_and_completeness_are_the_references_formula(seed, units, factors):
    rng = np.random.default_rng(seed)
    R = rng.random((units, factors)) ** 6 * (rng.random((units, factors)) < 0.7)
    if not R.any():
        R[:] = 1
    per_code = 1.0 - entropy(R.T + 1e-11, base=R.shape[1])
    per_factor = 1.0 - entropy(R + 1e-11, base=R.shape[0])
    assert disentanglement(R) == pytest.approx(np.sum(per_code * R.sum(1) / R.sum()), abs=1e-9)
    assert disentanglement(R.T) == pytest.approx(np.sum(per_factor * R.sum(0) / R.sum()), abs=1e-9)


def test_closed_forms():
    assert disentanglement(np.eye(4)) == pytest.approx(1)
    assert disentanglement(np.ones((3, 5))) == pytest.approx(0)
    assert disentanglement(np.zeros((3, 5))) == pytest.approx(0)
    assert disentanglement(np.array([[1.0, 1, 0, 0]])) == pytest.approx(0.5)  # 1 - log 2 / log 4
    assert disentanglement(np.ones((3, 1))) == 1


def test_several_processes_give_what_one_gives():
    assert dci(*tables(), n_jobs=2) == dci(*tables(), n_jobs=1)


def test_a_constant_factor_is_left_out():
    plain = dci(*tables(), n_jobs=1)
    more = [Tables(t.units, np.concatenate([np.full((len(t.units), 1), 2), t.factors], axis=1)) for t in tables()]
    assert dci(*more, n_jobs=1) == plain


def test_informativeness_is_the_accuracy_on_the_test_rows():
    train, test = tables()
    shuffled = Tables(np.random.default_rng(1).permutation(test.units), test.factors)
    scores = dci(train, shuffled, n_jobs=1)
    assert scores["informativeness_train"] == 1
    assert scores["informativeness"] == pytest.approx((1 / 3 + 1 / 2) / 2, abs=0.12)


def test_only_constant_factors_are_refused():
    train, test = (Tables(t.units, t.factors * 0) for t in tables())
    with pytest.raises(ValueError, match="constant"):
        dci(train, test)


def test_an_index_is_no_factor():
    train, test = (Tables(t.units, np.arange(len(t.units))[:, None]) for t in tables())
    with pytest.raises(ValueError, match="looks like an index"):
        dci(train, test)


COPIES = FactorPredictions(np.array([[0.5, 0], [0.5, 0], [0, 1.0], [0, 0]]), np.ones(2), np.full(2, 0.9))
"""Units 0 and 1 are copies of the first factor, unit 2 holds the second, unit 3 nothing."""


def test_copies_in_a_group_cost_no_completeness():
    scores = dci_of_groups(COPIES, [[0, 1]], 0)
    assert (scores["disentanglement"], scores["completeness"]) == pytest.approx((1, 1))
    assert (scores["units_disentanglement"], scores["units_completeness"]) == pytest.approx((1, 0.75))
    assert (scores["labels_disentanglement"], scores["labels_completeness"]) == pytest.approx((1, 1))
    assert scores["random_disentanglement"] < 0.9
    assert (scores["informativeness"], scores["groups"]) == (0.9, 3)


def test_single_units_score_as_dci():
    scores = dci_of_groups(COPIES, [], 0)
    for name in ("disentanglement", "completeness"):
        assert scores[name] == pytest.approx(scores[f"units_{name}"])
        assert scores[name] == pytest.approx(scores[f"random_{name}"])


def test_all_units_in_one_group_are_complete_and_not_disentangled():
    scores = dci_of_groups(COPIES, [[0, 1, 2, 3]], 0)
    assert (scores["disentanglement"], scores["completeness"]) == pytest.approx((0, 1))


@pytest.mark.parametrize("groups", [[[0, 1], [1]], [[4]], [[-1]]])
def test_a_unit_is_in_one_group_and_is_there(groups):
    with pytest.raises(ValueError, match="once at most"):
        dci_of_groups(COPIES, groups, 0)
