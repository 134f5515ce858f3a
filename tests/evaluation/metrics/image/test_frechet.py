import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from unweave.evaluation.metrics.image.frechet import frechet_between_features, frechet_distance

RNG = np.random.default_rng(0)


def images(table):
    """Images of one pixel whose channels are the features."""
    return np.asarray(table, float)[:, None, None, :]


def features(images):
    return images[:, 0, 0]


def distance(first, second, **options):
    return frechet_distance(images(first), images(second), features, **options)["frechet_distance"]


def axes(spread):
    """A table with mean 0 and exactly the diagonal covariance spread^2."""
    spread = np.asarray(spread, float)
    return np.concatenate([np.diag(spread), -np.diag(spread)]) * np.sqrt((2 * len(spread) - 1) / 2)


def test_diagonal_covariances_have_a_closed_form():
    first, second, shift = [1.0, 2.0, 0.5], [3.0, 0.25, 0.0], np.array([1.0, -2.0, 0.5])
    expected = np.square(shift).sum() + np.square(np.subtract(first, second)).sum()
    assert distance(axes(first), axes(second) + shift) == pytest.approx(expected)


def test_one_feature_is_the_difference_of_means_and_deviations():
    first, second = RNG.normal(1, 2, (40, 1)), RNG.normal(-1, 3, (25, 1))
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert distance(first, second) == pytest.approx(expected)


def test_full_covariances_agree_with_the_square_root_of_a_matrix():
    first, second = (RNG.normal(size=(60, 5)) @ RNG.normal(size=(5, 5)) for _ in range(2))
    s1, s2 = np.cov(first.T), np.cov(second.T)
    root = np.real(linalg.sqrtm(s1 @ s2))
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(s1 + s2 - 2 * root)
    assert distance(first, second) == pytest.approx(expected)


def test_fewer_rows_than_features():
    first, second = RNG.normal(size=(6, 40)), RNG.normal(size=(8, 40))
    s1, s2 = np.cov(first.T), np.cov(second.T)
    w, v = np.linalg.eigh(s1)
    half = (v * np.sqrt(w.clip(0))) @ v.T
    root = np.sqrt(np.linalg.eigvalsh(half @ s2 @ half).clip(0)).sum()
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(s1 + s2) - 2 * root
    assert distance(first, second) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_laws(seed):
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(12, 4)), random.normal(size=(9, 4)) * [1, 2, 3, 0]
    turn, _ = np.linalg.qr(random.normal(size=(4, 4)))
    plain = frechet_between_features(first, second)
    assert plain >= 0
    assert frechet_between_features(first, first[::-1]) == pytest.approx(0, abs=1e-12)
    assert frechet_between_features(second, first) == pytest.approx(plain)
    assert frechet_between_features(first @ turn + 3, second @ turn + 3) == pytest.approx(plain)
    assert frechet_between_features(2 * first, 2 * second) == pytest.approx(4 * plain)
    assert frechet_between_features(first, first + 2) == pytest.approx(16)


def test_it_is_not_invariant_to_the_scale_of_one_feature():
    first, second = RNG.normal(size=(30, 2)), RNG.normal(size=(30, 2)) + 1
    assert distance(first * [10, 1], second * [10, 1]) > 5 * distance(first, second)


def test_batches_change_nothing_and_the_callable_sees_no_more():
    sizes = []

    def count(images):
        sizes.append(len(images))
        return features(images)

    first, second = images(RNG.normal(size=(7, 3))), images(RNG.normal(size=(5, 3)))
    at_once = frechet_distance(first, second, features)
    assert frechet_distance(first, second, count, batch=3) == at_once
    assert sizes == [3, 3, 1, 3, 2]


def test_stored_pixels_are_handed_over_as_they_are():
    pixels = RNG.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    scores = frechet_distance(pixels, pixels[::-1], lambda x: x.mean((1, 2)))
    assert scores["frechet_distance"] == pytest.approx(0, abs=1e-9)


def test_errors():
    table = RNG.normal(size=(4, 2))
    with pytest.raises(ValueError, match="2 images or more, got 4 and 1"):
        distance(table, table[:1])
    with pytest.raises(ValueError, match="got 0 images"):
        distance(table, table[:0])
    with pytest.raises(ValueError, match=r"features of shape \(4, 2\) have 1 numbers"):
        distance(table, [[1, 2], [3, 4], [5, np.nan], [1, 1]])
    with pytest.raises(ValueError, match="one row per image"):
        frechet_distance(images(table), images(table), lambda x: x[:, 0, 0, 0])
    with pytest.raises(ValueError, match="one row per image"):
        frechet_distance(images(table), images(table), lambda x: x[:1, 0, 0])
    with pytest.raises(ValueError, match="dim 2 and 3"):
        frechet_distance(images(table), images(np.ones((4, 3))), features)
