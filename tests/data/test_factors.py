import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.data.factors import FactorGrid

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def grid(sizes):
    return FactorGrid(tuple(f"f{i}" for i in range(len(sizes))), tuple(sizes))


@given(SIZES)
def test_index_inverts_factors(sizes):
    rows = np.arange(len(grid(sizes)))
    factors = grid(sizes).factors(rows)
    assert (grid(sizes).index(factors) == rows).all()
    assert len(np.unique(factors, axis=0)) == len(rows) == np.prod(sizes)


def test_the_last_factor_is_fastest():
    assert grid([2, 3]).factors(np.arange(6)).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]


@given(SIZES, st.integers(0, 2**32 - 1))
def test_samples_are_rows_of_the_grid_and_repeat_with_the_seed(sizes, seed):
    first, again = (grid(sizes).sample(20, np.random.default_rng(seed)) for _ in range(2))
    assert (first == again).all()
    assert (grid(sizes).factors(grid(sizes).index(first)) == first).all()


def test_every_class_is_sampled_equally():
    sample = grid([2, 5]).sample(20_000, np.random.default_rng(0))
    assert np.allclose(np.bincount(sample[:, 1]) / 20_000, 0.2, atol=0.02)


def test_numbers_out_of_range_are_named():
    with pytest.raises(IndexError, match=r"row must be in 0\.\.5, got 6"):
        grid([2, 3]).factors(np.array([0, 6]))
    with pytest.raises(IndexError, match="got -1"):
        grid([2, 3]).factors(np.array([-1]))
    with pytest.raises(IndexError, match=r"f1 must be in 0\.\.2, got 3"):
        grid([2, 3]).index(np.array([[0, 3]]))


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="expected 2 columns"):
        grid([2, 3]).index(np.zeros((1, 3), int))
    for names, sizes in [(("a",), (1, 2)), ((), ()), (("a", "a"), (2, 2)), (("a",), (0,))]:
        with pytest.raises(ValueError, match=r"expected one size|one class or more"):
            FactorGrid(names, sizes)
