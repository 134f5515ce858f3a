import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.modularity import modularity

GRID = np.stack(np.unravel_index(np.arange(60), (5, 3, 4)), axis=1)


def score(units, factors=GRID):
    return modularity(np.asarray(units, dtype=float), factors)["modularity"]


def test_golden(golden):
    rows = golden.rows["train"]
    value = modularity(golden.units[rows], golden.factors[rows])["modularity"]
    assert value == pytest.approx(golden.scores["modularity"]["modularity_score"], abs=1e-6)


def test_closed_forms():
    assert score(GRID) == pytest.approx(1)
    assert score(np.repeat(GRID, 2, axis=1)) == pytest.approx(1)  # copies are not punished
    assert score(GRID[:, [0]] == 0) == pytest.approx(1)  # nor is half the knowledge
    square = np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1)
    assert score(square @ [[4], [1]], square) == pytest.approx(0, abs=1e-12)  # one unit that knows both alike


def test_a_unit_that_knows_nothing_counts_zero():
    assert score(np.concatenate([GRID, np.ones((60, 3))], axis=1)) == pytest.approx(0.5)
    assert score(np.ones((60, 2))) == 0


def test_one_factor_leaves_nothing_to_mix_and_constant_factors_are_left_out():
    noise = np.random.default_rng(0).normal(size=(60, 3))
    assert score(noise, GRID[:, :1]) == 1
    assert score(noise, np.pad(GRID, ((0, 0), (0, 1)))) == score(noise)


def test_only_constant_factors_are_refused():
    with pytest.raises(ValueError, match="constant"):
        score(np.ones((60, 2)), GRID * 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 100), st.integers(1, 6), st.integers(1, 4))
def test_range_and_invariance_to_order_and_scale(seed, rows, width, count):
    rng = np.random.default_rng(seed)
    factors = np.concatenate([rng.integers(0, 4, (rows, count)), [[1] * count]])
    factors[0, 0] = 0
    units = rng.normal(size=(rows + 1, width)).round(1)
    value = score(units, factors)
    assert 0 <= value <= 1
    order, columns = rng.permutation(width), rng.permutation(count)
    assert score(units[:, order] * 2.0 ** rng.integers(-3, 4, width), factors[:, columns]) == pytest.approx(value)


def test_a_sign_moves_values_on_the_edge_of_a_bin():
    units = np.linspace(0, 20, 81)[:, None]  # every fourth value lies on an edge and belongs to the bin above
    factors = np.stack([np.arange(81) // 4 % 2, np.arange(81) // 20], axis=1)
    assert score(units, factors) != score(-units, factors)
