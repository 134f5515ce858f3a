import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.image.kernel_distance import kernel_distance, kernel_distance_between_features

RNG = np.random.default_rng(0)


def images(table):
    """Images of one pixel whose channels are the features."""
    return np.asarray(table, float)[:, None, None, :]


def features(images):
    return images[:, 0, 0]


def distance(first, second, **options):
    return kernel_distance(images(first), images(second), features, **options)


def by_pairs(x, y):
    def kernel(a, b):
        return (a @ b / len(a) + 1) ** 3

    own = [np.mean([kernel(a, b) for a, b in itertools.permutations(z, 2)]) for z in (x, y)]
    return sum(own) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def test_pair_by_pair():
    first, second = RNG.normal(size=(6, 3)), RNG.normal(size=(5, 3))
    assert kernel_distance_between_features(first, second) == pytest.approx(by_pairs(first, second))
    scores = distance(first, second[:5], size=5, subsets=1)
    assert scores["kernel_distance_std"] == 0
    assert distance(first[:5], second, size=5, subsets=1)["kernel_distance"] == pytest.approx(
        by_pairs(first[:5], second)
    )


def test_two_points_by_hand():
    zero, one = np.zeros((2, 1)), np.ones((2, 1))
    assert distance(zero, one, size=2, subsets=3) == {
        "kernel_distance": pytest.approx(1 + 8 - 2),
        "kernel_distance_std": pytest.approx(0),
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_laws(seed):
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(8, 3)), random.normal(size=(7, 3)) + 1
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    plain = kernel_distance_between_features(first, second)
    assert kernel_distance_between_features(second, first) == pytest.approx(plain)
    assert kernel_distance_between_features(first[::-1], second) == pytest.approx(plain)
    assert kernel_distance_between_features(first @ turn, second @ turn) == pytest.approx(plain)
    assert kernel_distance_between_features(-first, -second) == pytest.approx(plain)


def test_it_is_not_invariant_to_scale_or_origin():
    first, second = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 3)) + 1
    assert kernel_distance_between_features(2 * first, 2 * second) > 2 * kernel_distance_between_features(first, second)
    assert kernel_distance_between_features(first + 5, second + 5) > 2 * kernel_distance_between_features(first, second)


def test_it_is_unbiased_on_equal_distributions():
    random = np.random.default_rng(1)
    values = [
        kernel_distance_between_features(random.normal(size=(10, 2)), random.normal(size=(10, 2))) for _ in range(2000)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(2000)
    assert min(values) < 0


def test_subsets_are_drawn_by_the_seed():
    first, second = RNG.normal(size=(60, 3)), RNG.normal(size=(50, 3)) + 1
    scores = distance(first, second, size=20, subsets=30)
    assert scores == distance(first, second, size=20, subsets=30)
    assert scores != distance(first, second, size=20, subsets=30, seed=1)
    assert scores["kernel_distance_std"] > 0
    spread = scores["kernel_distance_std"]
    assert scores["kernel_distance"] == pytest.approx(kernel_distance_between_features(first, second), abs=spread)


def test_errors():
    table = RNG.normal(size=(4, 2))
    with pytest.raises(ValueError, match=r"2 \.\. 4 images \(the smaller set\), got 100 of 1000"):
        distance(table, np.ones((9, 2)))
    with pytest.raises(ValueError, match="got 100 of 1;"):
        distance(table, table, size=1)
    with pytest.raises(ValueError, match="got 0 of 3"):
        distance(table, table, size=3, subsets=0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        distance(table, table * np.inf, size=2)
