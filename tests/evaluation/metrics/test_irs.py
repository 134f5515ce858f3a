import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.irs import irs

GRID = np.stack(np.unravel_index(np.arange(60), (5, 3, 4)), axis=1)


def score(units, factors=GRID, **settings):
    return irs(np.asarray(units, dtype=float), factors, **settings)["irs"]


def test_golden_to_the_last_bits(golden):
    rows = golden.rows["train"]
    scores = irs(golden.units[rows], golden.factors[rows])
    assert scores["irs"] == pytest.approx(golden.scores["irs"]["IRS"], abs=1e-9)
    assert scores["active_units"] == golden.units.shape[1]


def test_float64_codes_agree_with_float32_to_about_a_millionth(golden):
    rows = golden.rows["train"]
    scores = irs(golden.units[rows].astype(np.float64), golden.factors[rows])
    assert scores["irs"] == pytest.approx(golden.scores["irs"]["IRS"], abs=3e-6)


def test_closed_forms():
    assert score(GRID) == pytest.approx(1)
    assert score(np.repeat(GRID, 2, axis=1)) == pytest.approx(1)
    assert score(GRID[:, :1], GRID[:, 1:]) == pytest.approx(0)  # no factor steadies it
    two = np.stack(np.unravel_index(np.arange(4), (2, 2)), axis=1)
    assert score(two @ [[3], [1]], two) == pytest.approx(1 - 0.5 / 2)  # +-0.5 is left of +-2 when the first is held
    assert score(np.concatenate([GRID[:, :1], 4 * GRID[:, 1:2]], axis=1), GRID[:, 1:]) == pytest.approx(
        4 / (4 + 2), abs=0.001
    )  # weights are the largest deviations, 2 and 4


def test_constant_units_and_factors_are_left_out():
    units = GRID + 0.3 * np.random.default_rng(0).normal(size=GRID.shape)
    more = np.concatenate([np.full((60, 2), 0.1), units], axis=1)
    assert irs(more, GRID) == irs(units, GRID)
    assert irs(more, GRID)["active_units"] == 3
    assert score(units, np.pad(GRID, ((0, 0), (0, 1)))) == score(units)
    assert irs(np.ones((60, 2)), GRID) == {"irs": 0.0, "active_units": 0.0}


def test_factors_of_many_values_are_merged():
    factor = np.arange(40)[:, None]
    assert score(factor, factor) == pytest.approx(1 - 0.5 / 19.5, abs=0.003)
    assert score(factor, factor, bins=40) == 1


def test_noise_scores_above_zero_and_more_the_longer_its_tails():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (3000, 3))
    gaussian, heavy = rng.normal(size=(3000, 4)), rng.standard_t(2, size=(3000, 4))
    assert 0.2 < score(gaussian, factors) < 0.4
    assert score(heavy, factors) > 0.6


def test_it_falls_below_zero_where_a_few_rows_lie_at_the_far_end():
    factor = np.repeat([0, 1], 100)
    unit = 2.0 * factor - 1
    unit[[0, 1, 2, 100, 101, 102]] *= -1
    assert score(unit[:, None], factor[:, None]) == pytest.approx(1 - 1.94, abs=0.01)


@pytest.mark.parametrize("quantile", [-0.1, 1.5])
def test_quantiles_outside_0_1_are_refused(quantile):
    with pytest.raises(ValueError, match=f"got {quantile}"):
        score(GRID, quantile=quantile)


def test_only_constant_factors_are_refused():
    with pytest.raises(ValueError, match="constant"):
        score(GRID, GRID * 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 5), st.integers(1, 4))
def test_range_and_invariances(seed, rows, width, count):
    rng = np.random.default_rng(seed)
    factors = np.concatenate([rng.integers(0, 4, (rows, count)), [[1] * count]])
    factors[0, 0] = 0
    units = rng.normal(size=(rows + 1, width))
    value = score(units, factors)
    assert -1 <= value <= 1
    changed = units[:, rng.permutation(width)] * rng.choice([-1, 1], width) + rng.normal(size=width)
    assert score(changed, factors[:, rng.permutation(count)]) == pytest.approx(value, abs=1e-9)
    assert score(3.7 * units, factors) == pytest.approx(value, abs=1e-9)


def test_the_scale_of_one_unit_matters_as_it_is_its_weight():
    units = np.stack([GRID[:, 0], np.random.default_rng(0).normal(size=60)], axis=1)
    assert score(units * [100, 1]) > score(units) + 0.1
