import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from unweave.evaluation.metrics.dci_es import DEPTHS, _probabilities, area_above_least, dci_es
from unweave.evaluation.metrics.preparation import random_rotation, standardise
from unweave.evaluation.metrics.row_sampling import Tables

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (5, 3), (1200, 2))
CLEAN = FACTORS + 0.05 * RNG.normal(size=FACTORS.shape)


def score(units, trees=20):
    parts = (slice(0, 800), slice(800, None))
    train, test = (Tables(units[part], FACTORS[part]) for part in parts)
    return dci_es(train, test, trees=trees, n_jobs=1)


def test_the_whole_forest_is_the_deepest_cut():
    forest = RandomForestClassifier(10, max_depth=max(DEPTHS), random_state=0).fit(CLEAN[:800], FACTORS[:800, 0])
    assert _probabilities(forest, CLEAN[800:])[-1] / 10 == pytest.approx(forest.predict_proba(CLEAN[800:]))


def test_a_cut_tree_is_a_tree_of_that_depth():
    grown, cut = (
        RandomForestClassifier(1, max_depth=depth, max_features=None, bootstrap=False, random_state=0).fit(
            CLEAN[:800], FACTORS[:800, 0]
        )
        for depth in (2, 32)
    )
    assert _probabilities(cut, CLEAN[800:])[DEPTHS.index(2)] == pytest.approx(grown.predict_proba(CLEAN[800:]))


def test_turned_codes_are_less_explicit_and_as_informative():
    turned = standardise(CLEAN) @ random_rotation(2, np.random.RandomState(1))
    plain, mixed = score(CLEAN), score(turned)
    assert plain["informativeness"] == pytest.approx(1, abs=0.01)
    assert mixed["informativeness"] > 0.9
    assert mixed["explicitness"] < plain["explicitness"]


def test_a_code_that_knows_nothing_is_explicit_and_uninformative():
    scores = score(RNG.normal(size=(1200, 3)))
    assert scores["explicitness"] > 0.9
    assert scores["informativeness"] < 0.45
    assert scores["size"] == 1.5


def test_the_area_is_that_of_a_straight_line():
    assert area_above_least(np.zeros(len(DEPTHS))) == 0
    assert area_above_least(1 - np.array(DEPTHS) / 32) == pytest.approx((31 / 32) / 2)
