import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from unweave.data.open import open_data
from unweave.training.batches import batches, rows_at


@given(st.integers(1, 50), st.integers(0, 3), st.integers(0, 120), st.integers(1, 40), st.integers(1, 40))
def test_the_order_is_a_function_of_seed_and_images_seen(n: int, seed: int, seen: int, a: int, b: int) -> None:
    together = rows_at(n, seed, seen, a + b)
    apart = np.concatenate([rows_at(n, seed, seen, a), rows_at(n, seed, seen + a, b)])
    np.testing.assert_array_equal(together, apart)


@given(st.integers(1, 50), st.integers(0, 3), st.integers(0, 3))
def test_every_epoch_shows_every_image_once(n: int, seed: int, epoch: int) -> None:
    assert sorted(rows_at(n, seed, n * epoch, n)) == list(range(n))


def test_seeds_and_epochs_differ() -> None:
    assert not np.array_equal(rows_at(100, 0, 0, 100), rows_at(100, 1, 0, 100))
    assert not np.array_equal(rows_at(100, 0, 0, 100), rows_at(100, 0, 100, 100))


def test_batches_continue_where_they_stopped_and_end_at_the_budget() -> None:
    dataset = open_data({"name": "sprites", "size": 16})
    whole = list(batches(dataset, 0, 8, 0, 28, torch.device("cpu")))
    rest = list(batches(dataset, 0, 8, 16, 28, torch.device("cpu")))
    assert [len(batch.images) for batch in whole] == [8, 8, 8, 4]
    assert [batch.seen for batch in rest] == [16, 24]
    for one, other in zip(whole[2:], rest):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.index, other.index)
    assert whole[0].images.min() >= -1
    assert whole[0].images.max() <= 1


def test_nothing_is_read_when_the_budget_is_spent() -> None:
    dataset = open_data({"name": "sprites", "size": 16})
    assert list(batches(dataset, 0, 8, 28, 28, torch.device("cpu"))) == []


def test_a_set_in_shards_is_seen_once_an_epoch_a_few_shards_at_a_time() -> None:
    blocks = tuple(int(size) for size in np.random.default_rng(0).integers(1, 30, 40))
    count = sum(blocks)
    for epoch in (0, 1):
        assert sorted(rows_at(count, 3, epoch * count, count, blocks)) == list(range(count))
    whole = rows_at(count, 3, 0, 2 * count, blocks)
    parts = [rows_at(count, 3, start, min(17, 2 * count - start), blocks) for start in range(0, 2 * count, 17)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(whole[:count], whole[count:])
    of_block = np.repeat(np.arange(len(blocks)), blocks)[whole[:count]]
    first = of_block[: min(blocks) * 8]
    assert len(np.unique(first)) <= 8
    assert (np.diff(first) != 0).mean() > 0.5
