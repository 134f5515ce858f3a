import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.data.dataset import Card
from unweave.data.memory import Stored
from unweave.data.reading.image_files import middle_box, resize_pixels
from unweave.data.reading.image_source import Labels

CARD = Card("t", "s", "l")


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_without_a_size_images_are_as_given():
    pixels = noise(5, 6, 8, 1)
    dataset = Stored("a", pixels, None, CARD)
    assert dataset.shape == (1, 6, 8)
    assert (dataset.images(np.array([4, 0, 4])) == pixels[[4, 0, 4]]).all()
    assert dataset.factors(np.array([0])) is None
    assert dataset.factor_names == dataset.factor_sizes == ()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 32, 48])
def test_resizing_keeps_flat_colours_and_means(channels, size):
    flat = np.full((2, 32, 40, channels), 77, np.uint8)
    assert (resize_pixels(flat, (size, size)) == 77).all()
    smooth = np.broadcast_to(np.linspace(50, 200, 32).astype(np.uint8)[None, :, None, None], (1, 32, 32, channels))
    assert abs(resize_pixels(smooth, (size, size)).mean() - smooth.mean()) < 1


def test_resizing_is_antialiased():
    stripes = np.zeros((1, 64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    assert resize_pixels(stripes, (16, 16))[0, 2:-2].std() < 6


@given(*[st.integers(1, 500)] * 4)
def test_the_middle_box_has_the_wanted_proportions_and_is_centred(height, width, want_height, want_width):
    left, top, right, bottom = middle_box((height, width), (want_height, want_width))
    assert left >= 0 <= top
    assert right <= width
    assert bottom <= height
    assert np.isclose((right - left) * want_height, (bottom - top) * want_width)
    assert np.allclose([left + right, top + bottom], [width, height])


def test_the_digest_sees_pixels_factors_and_names():
    pixels, classes = noise(6, 8, 8, 1), np.arange(6)[:, None] % 2
    labels = Labels(("a",), (2,), classes)
    other = pixels.copy()
    other[5, 7, 7] += 1
    sets = [
        Stored("a", pixels, labels, CARD),
        Stored("a", pixels, None, CARD),
        Stored("a", other, labels, CARD),
        Stored("a", pixels, labels._replace(classes=1 - classes), CARD),
        Stored("a", pixels, labels._replace(names=("b",)), CARD),
    ]
    assert len({dataset.digest() for dataset in sets}) == 5
    assert sets[0].digest() == Stored("b", pixels.copy(), labels, CARD).digest()
