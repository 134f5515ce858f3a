import numpy as np
import pytest

from unweave.evaluation.metrics.preparation import prepare, standardise

UNITS = np.random.default_rng(0).normal(size=(50, 4)) * [1, 100, 0.01, 3] + [0, 5, 1, -7]


def test_standardised_units_have_mean_0_and_deviation_1():
    standard = prepare(UNITS, "standardised")
    assert standard.mean(0) == pytest.approx(0, abs=1e-12)
    assert standard.std(0) == pytest.approx(1)


def test_rows_of_unit_length_point_where_the_standardised_ones_do():
    unit, standard = prepare(UNITS, "unit-length"), standardise(UNITS)
    assert np.linalg.norm(unit, axis=1) == pytest.approx(1)
    assert (unit * standard).sum(1) == pytest.approx(np.linalg.norm(standard, axis=1))


def test_raw_codes_are_left_alone():
    assert prepare(UNITS, "raw") is UNITS


@pytest.mark.parametrize("preparation", ["raw", "standardised", "unit-length"])
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6])
def test_constants_stay_finite(preparation, constant):
    units = np.full((50, 2), constant, np.float32)
    assert np.isfinite(prepare(units, preparation)).all()
    assert not standardise(units).any()
