import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from unweave.evaluation.metrics.information import discretise, entropies, mutual_information


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 200), st.integers(1, 7))
def test_mutual_information_is_scikit_learns(seed, rows, classes):
    rng = np.random.default_rng(seed)
    binned = rng.integers(0, 9, (rows, 3))
    factors = np.concatenate([rng.integers(0, classes, (rows, 2)), binned[:, :1] // 2], axis=1)
    expected = [[mutual_info_score(unit, factor) for factor in factors.T] for unit in binned.T]
    assert mutual_information(binned, factors) == pytest.approx(np.array(expected), abs=1e-12)


def test_mutual_information_of_a_column_with_itself_is_its_entropy():
    table = np.random.default_rng(0).integers(0, 5, (300, 4))
    assert np.diag(mutual_information(table, table)) == pytest.approx(entropies(table))


def test_entropy_of_a_uniform_column_is_the_log_of_its_size_and_of_a_constant_zero():
    table = np.stack([np.arange(60) % 6, np.full(60, 3)], axis=1)
    assert entropies(table) == pytest.approx([np.log(6), 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_the_references(dtype):
    units = np.random.default_rng(1).normal(size=(500, 3)).astype(dtype)
    expected = [np.digitize(unit, np.histogram(unit, 20)[1][:-1]) - 1 for unit in units.T]
    binned = discretise(units)
    assert (binned == np.stack(expected, axis=1)).all()
    assert binned.min() == 0
    assert binned.max() == 19


def test_a_unit_that_varies_by_rounding_only_falls_into_one_bin():
    units = np.ones((10, 2), np.float32)
    units[0, 0] = np.nextafter(np.float32(1), np.float32(2))
    assert (discretise(units).max(0) == discretise(units).min(0)).all()


def test_independent_counts_share_exactly_nothing():
    grid = np.stack(np.unravel_index(np.arange(3 * 7 * 11), (3, 7, 11)), axis=1)
    table = np.concatenate([grid, np.full((len(grid), 1), 4)], axis=1)
    information = mutual_information(table, table)
    assert (information == np.diag(np.diag(information))).all()
    assert information[3, 3] == 0
