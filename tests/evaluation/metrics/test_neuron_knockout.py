import numpy as np
import pytest

from unweave.evaluation.metrics.neuron_knockout import neuron_knockout
from unweave.evaluation.metrics.preparation import random_rotation, standardise
from unweave.evaluation.metrics.row_sampling import Tables

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, (4, 3), (1600, 2))
CLEAN = FACTORS + 0.05 * RNG.normal(size=FACTORS.shape)


def score(units, factors=FACTORS, epochs=30):
    parts = (slice(0, 1000), slice(1000, None))
    train, test = (Tables(units[part], factors[part]) for part in parts)
    return neuron_knockout(train, test, epochs=epochs, n_jobs=1)


def test_the_unit_of_a_factor_costs_all_that_is_known_of_it():
    scores = score(CLEAN)
    assert scores["accuracy"] == pytest.approx(1, abs=0.02)
    assert scores["accuracy_without"] == pytest.approx((1 / 4 + 1 / 3) / 2, abs=0.06)
    assert scores["nk"] == pytest.approx(scores["accuracy"] - scores["accuracy_without"])


def test_a_copy_stands_in_and_noise_has_nothing_to_lose():
    assert score(np.repeat(CLEAN, 2, axis=1))["nk"] == pytest.approx(0, abs=0.03)
    noise = score(RNG.normal(size=(1600, 3)))
    assert noise["nk"] == pytest.approx(0, abs=0.06)
    assert noise["accuracy"] < 0.4


def test_turned_codes_lose_less():
    turned = standardise(CLEAN) @ random_rotation(2, np.random.RandomState(0))
    assert score(turned)["nk"] < score(CLEAN)["nk"] - 0.1
    assert score(turned)["accuracy"] > 0.9


def test_one_unit_leaves_the_most_frequent_class():
    factors = (np.arange(1600)[:, None] % 4 == 0).astype(np.int64)
    scores = score(factors + 0.01 * RNG.normal(size=(1600, 1)), factors)
    assert scores["accuracy_without"] == pytest.approx(0.75)


def test_order_signs_and_scale_hardly_matter():
    changed = CLEAN[:, ::-1] * [-1000.0, 0.001] + 3
    assert score(changed)["nk"] == pytest.approx(score(CLEAN)["nk"], abs=0.05)


def test_the_seed_decides():
    assert score(CLEAN, epochs=2) == score(CLEAN, epochs=2)
