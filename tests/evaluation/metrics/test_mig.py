import numpy as np
import pytest

from unweave.evaluation.metrics.mig import mig


def test_golden(golden):
    rows = golden.rows["train"]
    scores = mig(golden.units[rows], golden.factors[rows])
    assert scores["mig"] == pytest.approx(golden.scores["mig"]["discrete_mig"], abs=1e-9)


def test_a_factor_copied_into_two_units_scores_zero():
    factors = np.random.default_rng(0).integers(0, 5, (500, 2))
    assert mig(factors.astype(float), factors)["mig"] > 0.95
    assert mig(np.repeat(factors, 2, axis=1).astype(float), factors)["mig"] == pytest.approx(0, abs=1e-12)


def test_one_unit_and_a_constant_factor():
    factor = np.arange(100)[:, None] % 5
    both = np.concatenate([factor, np.zeros_like(factor)], axis=1)
    assert mig(factor.astype(float), both)["mig"] == pytest.approx(1)


def test_only_constant_factors_are_refused():
    with pytest.raises(ValueError, match="constant"):
        mig(np.ones((4, 2)), np.zeros((4, 1), int))
