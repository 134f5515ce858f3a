import numpy as np
import pytest

from unweave.evaluation.metrics.image_probe import fit_probe


def stripes(factors, seed=0):
    """Small noisy pictures: a class is where a bright bar stands in its own colour."""
    pixels = np.random.default_rng(seed).integers(0, 40, (len(factors), 8, 8, 3))
    for j, column in enumerate(factors.T):
        pixels[np.arange(len(factors)), column, :, j] += 180
    return pixels.astype(np.uint8)


def test_a_probe_learns_and_says_how_well():
    factors = np.random.default_rng(0).integers(0, (5, 4, 1), (400, 3))
    probe = fit_probe(stripes(factors), factors)
    assert min(probe.accuracy) > 0.95
    fresh = np.random.default_rng(1).integers(0, (5, 4, 1), (100, 3))
    labels = probe.label(stripes(fresh, 1))
    assert (labels == fresh).mean() > 0.95
    assert labels.shape == fresh.shape


def test_a_probe_says_that_it_cannot_know():
    random = np.random.default_rng(0)
    factors = random.integers(0, 4, (300, 1))
    noise = random.integers(0, 256, (300, 4, 4, 1), dtype=np.uint8)
    first, again = fit_probe(noise, factors), fit_probe(noise, factors)
    assert first.accuracy == again.accuracy
    assert first.accuracy[0] == pytest.approx(1 / 4, abs=0.15)


def test_a_probe_of_blank_images_and_of_too_few():
    blank = np.zeros((20, 4, 4, 1), np.uint8)
    assert fit_probe(blank, np.arange(20)[:, None] % 2).label(blank[:3]).shape == (3, 1)
    with pytest.raises(ValueError, match="10 or more images and their factors, got 9 and 9"):
        fit_probe(blank[:9], np.zeros((9, 1), int))
    with pytest.raises(ValueError, match="got 20 and 19"):
        fit_probe(blank, np.zeros((19, 1), int))
