import numpy as np
import pytest

from unweave.evaluation.metrics.factorvae_score import _variances, factorvae_score


def test_golden(golden):
    scores = factorvae_score(golden.units, golden.factors, np.random.RandomState(0))
    expected = golden.scores["factor_vae"]
    assert scores["eval_accuracy"] == pytest.approx(expected["eval_accuracy"], abs=1e-12)
    assert scores["train_accuracy"] == pytest.approx(expected["train_accuracy"], abs=1e-12)


def test_random_rows_of_a_grid_score_about_what_the_grid_does(golden):
    sampled = np.random.default_rng(0).choice(len(golden.units), 20_000, replace=False)
    scores = factorvae_score(golden.units[sampled], golden.factors[sampled], np.random.RandomState(0))
    assert scores["eval_accuracy"] == pytest.approx(golden.scores["factor_vae"]["eval_accuracy"], abs=0.025)


def test_variances_are_numpys():
    random = np.random.RandomState(0)
    z, rows = random.normal(size=(50, 4)), random.randint(50, size=(6, 64))
    assert _variances(z, rows) == pytest.approx(z[rows].var(1, ddof=1))


def test_still_units_do_not_vote():
    random = np.random.RandomState(0)
    factors = random.randint(0, 3, (400, 2))
    still = np.concatenate([factors, 0.01 * random.normal(size=(400, 3))], axis=1)
    assert factorvae_score(still, factors, random, votes=(200, 100)) == {
        "eval_accuracy": 1.0,
        "train_accuracy": 1.0,
        "active_units": 2.0,
    }
    assert factorvae_score(0.01 * still, factors, random)["eval_accuracy"] == 0
