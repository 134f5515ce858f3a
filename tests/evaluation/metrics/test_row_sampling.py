import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.row_sampling import (
    draw_with_replacement,
    is_complete_grid,
    pairs_with_a_fixed_factor,
    rows_to_score,
    rows_to_train_and_test,
    rows_with_a_fixed_factor,
)


def grid(*sizes):
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)


def reference(sizes, count, sets, batch, random):
    """The reference's calls, one by one."""
    factor, rows = [], []
    for _ in range(count):
        k = random.randint(len(sizes))
        values = [np.stack([random.randint(size, size=batch) for size in sizes], axis=1) for _ in range(sets)]
        values[-1][:, k] = values[0][:, k] if sets == 2 else values[0][0, k]
        factor.append(k)
        rows.append([np.ravel_multi_index(tuple(v.T), sizes) for v in values])
    return np.array(factor), np.array(rows)


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(0, 1000))
def test_on_a_grid_votes_and_pairs_are_the_references_and_so_is_the_state_they_leave(sizes, seed):
    ours, theirs = np.random.RandomState(seed), np.random.RandomState(seed)
    votes = rows_with_a_fixed_factor(grid(*sizes), 7, 5, ours)
    factor, rows = reference(sizes, 7, 1, 5, theirs)
    assert (votes.factor == factor).all()
    assert (votes.rows == rows[:, 0]).all()
    pairs = pairs_with_a_fixed_factor(grid(*sizes), 7, 5, ours)
    factor, rows = reference(sizes, 7, 2, 5, theirs)
    assert (pairs.factor == factor).all()
    assert (np.stack([pairs.first, pairs.second], axis=1) == rows).all()
    assert ours.randint(10**9) == theirs.randint(10**9)


def test_rows_of_the_golden_sample_are_drawn_in_mini_batches_of_16(golden):
    random = np.random.RandomState(0)
    assert (draw_with_replacement(golden.factors, 10_000, random) == golden.rows["train"]).all()
    assert (draw_with_replacement(golden.factors, 5_000, random) == golden.rows["test_5000"]).all()


def test_a_grid_is_told_from_other_tables():
    full = grid(3, 1, 4)
    assert is_complete_grid(full)
    assert not is_complete_grid(full[::-1])
    assert not is_complete_grid(full[:-1])
    assert not is_complete_grid(np.concatenate([full, full]))
    assert not is_complete_grid(full[:, ::-1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_elsewhere_rows_share_the_value_of_their_factor(seed, count):
    random = np.random.RandomState(seed)
    factors = random.randint(0, (4, 3, 6), size=(count, 3))
    factor, rows = rows_with_a_fixed_factor(factors, 20, 8, random)
    values = factors[rows, factor[:, None]]
    assert (values == values[:, :1]).all()
    factor, first, second = pairs_with_a_fixed_factor(factors, 20, 8, random)
    assert (factors[first, factor[:, None]] == factors[second, factor[:, None]]).all()


def test_elsewhere_every_row_that_shares_the_value_is_as_likely():
    factors = np.array([[0, 1], [0, 0], [0, 1], [1, 0], [1, 1]])
    factor, rows = rows_with_a_fixed_factor(factors, 4000, 8, np.random.RandomState(0))
    zeros = rows[(factor == 0) & (factors[rows[:, 0], 0] == 0)]
    shares = np.bincount(zeros.ravel(), minlength=5) / zeros.size
    assert shares == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0, 0], abs=0.02)


@pytest.mark.parametrize(("total", "sizes"), [(100, (20, 10)), (30, (20, 10)), (12, (8, 4)), (2, (1, 1))])
def test_training_and_test_rows_differ(total, sizes):
    train, test = rows_to_train_and_test(np.zeros((total, 1), int), 20, 10, np.random.RandomState(0))
    assert (len(train), len(test)) == sizes
    assert len(np.union1d(train, test)) == sum(sizes)


def test_on_a_grid_the_split_is_the_references_draws_one_after_the_other():
    sizes, random = (3, 4, 2), np.random.RandomState(5)
    train, test = rows_to_train_and_test(grid(*sizes), 40, 20, np.random.RandomState(5))
    values = [np.stack([random.randint(size, size=part) for size in sizes], axis=1) for part in (16, 16, 8, 16, 4)]
    assert (np.concatenate([train, test]) == np.ravel_multi_index(tuple(np.concatenate(values).T), sizes)).all()


def test_a_sample_counts_no_row_twice_but_on_a_grid():
    table = np.array([[0], [0], [1], [1], [1]])
    assert sorted(rows_to_score(table, 100, np.random.RandomState(0)).tolist()) == [0, 1, 2, 3, 4]
    assert len(set(rows_to_score(table, 3, np.random.RandomState(0)).tolist())) == 3
    rows = rows_to_score(grid(3, 2), 100, np.random.RandomState(0))
    assert (rows == draw_with_replacement(grid(3, 2), 100, np.random.RandomState(0))).all()


def test_one_row_cannot_be_split():
    with pytest.raises(ValueError, match="got 1"):
        rows_to_train_and_test(np.zeros((1, 2), int) + np.array([0, 1]), 20, 10, np.random.RandomState(0))
