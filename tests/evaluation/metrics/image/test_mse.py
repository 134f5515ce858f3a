import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.image.mse import IMAGES_PER_CHUNK, checked_data_range, mse, mse_per_image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
OTHER_PIXELS = RNG.integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)


def test_black_against_white_is_one_and_an_image_against_itself_zero():
    assert mse(np.zeros_like(PIXELS), np.full_like(PIXELS, 255)) == {"mse": 1.0}
    assert mse(PIXELS, PIXELS) == {"mse": 0.0}


def test_a_constant_difference_is_squared():
    grey = np.full((2, 4, 4, 1), 0.25)
    assert mse(grey, grey + 0.5, data_range=1)["mse"] == pytest.approx(0.25)
    assert mse(grey, grey + 0.5, data_range=2)["mse"] == pytest.approx(0.0625)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_the_scale_of_the_images_does_not_matter_and_the_order_of_the_two_does_not(seed):
    first, second = np.random.default_rng(seed).integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8)
    stored = mse(first, second)["mse"]
    assert 0 <= stored <= 1
    assert mse(second, first)["mse"] == stored
    assert mse(first / 255, second / 255, data_range=1.0)["mse"] == pytest.approx(stored)
    assert mse(first / 127.5 - 1, second / 127.5 - 1, data_range=2.0)["mse"] == pytest.approx(stored)


def test_more_images_than_a_chunk():
    many = np.resize(PIXELS, (IMAGES_PER_CHUNK + 3, 8, 6, 3))
    expected = np.square((many.astype(float) - np.roll(many, 1, 0)) / 255).mean((1, 2, 3))
    assert mse_per_image(many, np.roll(many, 1, 0), None) == pytest.approx(expected)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match=r"one shape and dtype, got uint8 of shape \(5, .* and uint8 of shape \(4, "):
        mse(PIXELS, OTHER_PIXELS[:4])
    with pytest.raises(ValueError, match=r"uint8 .* and float64"):
        mse(PIXELS, OTHER_PIXELS / 255)
    with pytest.raises(ValueError, match="one row or more"):
        mse(PIXELS[:0], OTHER_PIXELS[:0])
    with pytest.raises(ValueError, match=r"a single image is image\[None\]"):
        checked_data_range(PIXELS[0], OTHER_PIXELS[0], 255)


def test_the_data_range_is_stated():
    with pytest.raises(ValueError, match="need a positive data_range, got None"):
        mse(PIXELS / 255, OTHER_PIXELS / 255)
    with pytest.raises(ValueError, match="need a positive data_range, got 0"):
        mse(PIXELS / 255, OTHER_PIXELS / 255, data_range=0.0)
    with pytest.raises(ValueError, match=r"data range 255, got 1\.0"):
        mse(PIXELS, OTHER_PIXELS, data_range=1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    broken = OTHER_PIXELS / 255
    broken[1, 2, 3, 0] = bad
    with pytest.raises(ValueError, match=r"images .* at \[1, 2, 3, 0\]"):
        mse(PIXELS / 255, broken, data_range=1.0)
