import numpy as np
import pytest

from unweave.evaluation.metrics.image.copies import copies, more_often, pixel_distances

RNG = np.random.default_rng(0)
TRAINING = RNG.random((80, 48), dtype=np.float32)


def test_distances_are_root_mean_squares() -> None:
    others = RNG.random((5, 48), dtype=np.float32)
    expected = [[np.sqrt(np.square(one - other).mean()) for other in TRAINING] for one in others]
    np.testing.assert_allclose(pixel_distances(others, TRAINING), expected, atol=1e-4)


def test_a_training_picture_with_some_noise_is_a_copy_and_a_new_one_is_none() -> None:
    noised = TRAINING[:20] + 0.02 * RNG.normal(size=(20, 48)).astype(np.float32)
    assert copies(pixel_distances(noised, TRAINING)).all()
    assert not copies(pixel_distances(RNG.random((20, 48), dtype=np.float32), TRAINING)).any()


def test_it_does_not_matter_how_large_distances_are() -> None:
    distances = pixel_distances(RNG.random((20, 48), dtype=np.float32), TRAINING)
    np.testing.assert_array_equal(copies(distances), copies(1e-3 * distances))


def test_one_training_picture_is_too_few() -> None:
    with pytest.raises(ValueError, match="two training pictures"):
        copies(np.ones((3, 1)))


def test_more_often_is_more_than_chance() -> None:
    some, none = np.arange(64) < 20, np.zeros(64, bool)
    assert more_often(some, none)
    assert not more_often(none, some)
    assert not more_often(np.arange(64) < 3, none)
