import numpy as np
import pytest

from unweave.evaluation.metrics.betavae_score import _differences, betavae_score


def test_golden(golden):
    scores = betavae_score(golden.units, golden.factors, np.random.RandomState(0))
    expected = golden.scores["beta_vae"]
    assert scores["eval_accuracy"] == pytest.approx(expected["eval_accuracy"], abs=0.005)
    assert scores["train_accuracy"] == pytest.approx(expected["train_accuracy"], abs=0.005)


def test_differences_are_numpys():
    random = np.random.RandomState(0)
    z, first, second = random.normal(size=(50, 4)), *random.randint(50, size=(2, 6, 64))
    assert _differences(z, first, second) == pytest.approx(np.abs(z[first] - z[second]).mean(1))


def test_one_factor_leaves_nothing_to_tell():
    factors = np.arange(20)[:, None] % 4
    assert set(betavae_score(np.ones((20, 2)), factors, np.random.RandomState(0)).values()) == {1.0}
