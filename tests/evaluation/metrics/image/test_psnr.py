import json

import numpy as np
import pytest

from unweave.evaluation.metrics.image.psnr import psnr

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
OTHER_PIXELS = RNG.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)


def test_a_constant_difference():
    grey = np.full((2, 4, 4, 1), 0.25)
    assert psnr(grey, grey + 0.1, data_range=1.0)["psnr"] == pytest.approx(20)
    assert psnr(grey, grey + 0.1, data_range=10.0)["psnr"] == pytest.approx(40)


def test_one_level_in_one_channel_of_one_pixel():
    changed = np.zeros((1, 64, 64, 3), np.uint8)
    changed[0, 5, 5, 0] = 1
    expected = 10 * np.log10(255**2 * 64 * 64 * 3)
    assert psnr(np.zeros_like(changed), changed, data_range=255) == {"psnr": pytest.approx(expected), "capped": 0.0}
    assert expected == pytest.approx(89.03, abs=0.01)


def test_the_mean_is_over_images_and_not_over_errors():
    black, near, far = (np.full((1, 4, 4, 1), value) for value in (0.0, 0.1, 1.0))
    scores = psnr(np.concatenate([black, black]), np.concatenate([near, far]), data_range=1.0)["psnr"]
    assert scores == pytest.approx((20 + 0) / 2)


def test_identical_images_count_the_cap_and_are_counted():
    assert psnr(PIXELS, PIXELS, data_range=255) == {"psnr": 100.0, "capped": 1.0}
    half = np.concatenate([PIXELS[:3], OTHER_PIXELS[3:]])
    scores = psnr(PIXELS, half, data_range=255)
    rest = psnr(PIXELS[3:], OTHER_PIXELS[3:], data_range=255)["psnr"]
    assert scores == {"psnr": pytest.approx((100 + rest) / 2), "capped": 0.5}
    json.dumps(scores, allow_nan=False)


def test_scaling_the_images_with_their_range_changes_nothing():
    stored = psnr(PIXELS, OTHER_PIXELS, data_range=255)["psnr"]
    assert psnr(PIXELS / 127.5 - 1, OTHER_PIXELS / 127.5 - 1, data_range=2.0)["psnr"] == pytest.approx(stored)


def test_equal_to_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    expected = [metrics.peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(PIXELS, OTHER_PIXELS)]
    assert psnr(PIXELS, OTHER_PIXELS, data_range=255)["psnr"] == pytest.approx(np.mean(expected), abs=1e-9)


def test_floats_need_their_range():
    with pytest.raises(ValueError, match="positive data_range"):
        psnr(PIXELS / 255, OTHER_PIXELS / 255, data_range=-1.0)
