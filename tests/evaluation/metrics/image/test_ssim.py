import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.image.mse import IMAGES_PER_CHUNK
from unweave.evaluation.metrics.image.ssim import ssim


def similarity(first, second, data_range=255):
    return ssim(first, second, data_range=data_range)["ssim"]


def wave(height=16, width=20, rows=3):
    """Images made of whole numbers, the same on every machine."""
    index = np.arange(rows * height * width * 3).reshape(rows, height, width, 3)
    first = (index * 7919 % 251).astype(np.uint8)
    return first, (first // 2 + index % 53).astype(np.uint8)


def smooth(seed=0, noise=0.08):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :32] / 8
    first = np.stack([0.5 + 0.4 * np.sin(x + k) * np.cos(y - k) for k in range(3)], axis=-1)[None].repeat(4, 0)
    second = (first + noise * random.normal(size=first.shape)).clip(0, 1)
    return (255 * first).astype(np.uint8), (255 * second).astype(np.uint8)


@pytest.mark.parametrize("images", [wave(), smooth(), wave(11, 11, 1), smooth(1, 0.5)])
def test_equal_to_scikit_image(images):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    reference = pytest.importorskip("skimage.metrics").structural_similarity
    expected = [reference(a, b, channel_axis=-1, data_range=255, **options) for a, b in zip(*images)]
    assert similarity(*images) == pytest.approx(np.mean(expected), abs=1e-10)
    expected = [reference(a / 255, b / 255, channel_axis=-1, data_range=1, **options) for a, b in zip(*images)]
    assert similarity(images[0] / 255, images[1] / 255, 1) == pytest.approx(np.mean(expected), abs=1e-10)


def test_values_that_scikit_image_gives():
    assert similarity(*wave()) == pytest.approx(0.731677540091472, abs=1e-9)  # scikit-image 0.26.0


def test_the_definition_window_by_window():
    """A loop over windows and channels, with the weights written out."""
    first, second = (images[:1, :13, :12] / 255 for images in wave())
    near = np.exp(-np.square(np.arange(11) - 5) / 4.5)
    weight = np.outer(near, near) / near.sum() ** 2
    values = []
    for top in range(13 - 11 + 1):
        for left in range(12 - 11 + 1):
            for channel in range(3):
                x, y = (z[0, top : top + 11, left : left + 11, channel] for z in (first, second))
                mx, my = (weight * x).sum(), (weight * y).sum()
                vx, vy = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum()
                cov = (weight * (x - mx) * (y - my)).sum()
                values.append((2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)))
    assert similarity(first, second, 1) == pytest.approx(np.mean(values), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_constant_images_have_a_closed_form(a, b):
    first, second = (np.full((2, 12, 12, 1), level) for level in (a, b))
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert similarity(first, second, 1) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_identical_is_one_symmetric_and_in_range(seed):
    first, second = np.random.default_rng(seed).integers(0, 256, (2, 2, 12, 13, 3), dtype=np.uint8)
    forwards = similarity(first, second)
    assert similarity(first, first) == pytest.approx(1, abs=1e-12)
    assert similarity(second, first) == pytest.approx(forwards)
    assert -1 <= forwards <= 1
    assert similarity(first[:, ::-1, ::-1], second[:, ::-1, ::-1]) == pytest.approx(forwards)


def test_more_noise_is_less_similar_and_a_negative_less_than_nothing():
    by_noise = [similarity(*smooth(0, noise)) for noise in (0.0, 0.02, 0.1, 0.3)]
    assert by_noise == sorted(by_noise, reverse=True)
    first, _ = wave()
    assert similarity(first, 255 - first) < 0


def test_it_is_the_mean_over_images_also_past_a_chunk():
    first, second = wave(11, 11, 5)
    singles = [similarity(first[i : i + 1], second[i : i + 1]) for i in range(5)]
    assert similarity(first, second) == pytest.approx(np.mean(singles))
    many = IMAGES_PER_CHUNK + 4  # 52 times the five images
    repeated = similarity(np.resize(first, (many, 11, 11, 3)), np.resize(second, (many, 11, 11, 3)))
    assert repeated == pytest.approx(np.mean(singles))


def test_images_smaller_than_the_window_are_refused():
    first, second = wave(11, 11)
    similarity(first, second)
    with pytest.raises(ValueError, match="10 x 11 pixels are smaller than the window of 11"):
        similarity(first[:, 1:], second[:, 1:])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape and dtype"):
        similarity(wave()[0], wave(17)[1])
