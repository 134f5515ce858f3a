"""What holds for every metric of tables. A new metric is one line in METRICS."""

import numpy as np
import pytest

from unweave.metrics.betavae_score import betavae_score
from unweave.metrics.dci import dci
from unweave.metrics.factorvae_score import factorvae_score
from unweave.metrics.mig import mig
from unweave.metrics.rows import Tables


def _dci(units, factors, seed):
    half = len(units) // 2
    return dci(Tables(units[:half], factors[:half]), Tables(units[half:], factors[half:]), seed=seed, n_jobs=1)


METRICS = {
    "mig": lambda units, factors, seed: mig(units, factors),
    "dci": _dci,
    "factorvae_score": lambda *tables: factorvae_score(
        *tables[:2], np.random.RandomState(tables[2]), votes=(3000, 1500)
    ),
    "betavae_score": lambda *tables: betavae_score(*tables[:2], np.random.RandomState(tables[2]), points=(1500, 800)),
}
COUNTS = {"active_units"}
NOISE = {"mig": 1e-9, "dci": 0.03, "factorvae_score": 0.04, "betavae_score": 0.04}
CHANCE = {"mig": 0.05, "dci": 0.15, "factorvae_score": 0.45, "betavae_score": 0.45}
TRAINING = {"train_accuracy", "informativeness_train", "informativeness"}  # accuracies: not scores of disentanglement

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (3, 2, 3), (400, 3))
MIXING = np.array([[1, 0.4, 0, 0.3], [0, 1, 0.5, 0], [0.2, 0, 1, 0.6]])
MIXED = FACTORS @ MIXING + 0.3 * RNG.normal(size=(400, 4))


@pytest.fixture(params=METRICS)
def name(request):
    return request.param


def scores(name, units, factors, seed=0, leave=COUNTS):
    return {score: value for score, value in METRICS[name](units, factors, seed).items() if score not in leave}


def near(name, expected):
    return pytest.approx(expected, abs=NOISE[name])


@pytest.fixture(scope="module")
def mixed():
    return {name: scores(name, MIXED, FACTORS) for name in METRICS}


@pytest.mark.parametrize("units", [MIXED, MIXED[:, :1], np.ones((400, 2)), RNG.normal(size=(400, 4))])
def test_every_score_is_in_0_1(name, units):
    assert all(0 <= value <= 1 for value in scores(name, units, FACTORS).values())


def test_the_order_of_the_units_does_not_matter(name, mixed):
    assert scores(name, MIXED[:, [2, 0, 3, 1]], FACTORS) == near(name, mixed[name])


def test_the_order_of_the_factors_does_not_matter(name, mixed):
    assert scores(name, MIXED, FACTORS[:, [2, 0, 1]]) == near(name, mixed[name])


def test_the_scale_of_a_unit_does_not_matter(name, mixed):
    assert scores(name, MIXED * np.array([2, 4, 2, 8]), FACTORS) == near(name, mixed[name])


def test_the_sign_and_the_origin_of_a_unit_do_not_matter(name, mixed):
    assert scores(name, MIXED * np.array([1, -1, -1, 1]) + 2, FACTORS) == pytest.approx(mixed[name], abs=0.04)


def test_the_names_of_the_classes_do_not_matter(name, mixed):
    assert scores(name, MIXED, FACTORS.max(0) - FACTORS) == near(name, mixed[name])


def test_one_unit_per_factor_scores_one(name):
    clean = FACTORS + 0.05 * RNG.normal(size=FACTORS.shape)
    assert min(scores(name, clean, FACTORS).values()) > 0.95


def test_codes_that_know_nothing_score_about_chance(name):
    noise = RNG.normal(size=MIXED.shape)
    assert max(scores(name, noise, FACTORS, leave=COUNTS | TRAINING).values()) < CHANCE[name]


def test_the_same_seed_gives_the_same_scores(name, mixed):
    assert scores(name, MIXED, FACTORS) == mixed[name]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused(name, bad):
    broken = MIXED.copy()
    broken[7, 1] = bad
    with pytest.raises(ValueError, match=r"1 numbers .* at \[7, 1\]"):
        METRICS[name](broken, FACTORS, 0)


def test_codes_and_factors_are_left_as_they_were(name):
    units, factors = MIXED.copy(), FACTORS.copy()
    METRICS[name](units, factors, 0)
    assert (units == MIXED).all()
    assert (factors == FACTORS).all()
