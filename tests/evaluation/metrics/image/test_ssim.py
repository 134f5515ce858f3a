import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.image.mse import CHUNK
from unweave.evaluation.metrics.image.ssim import ssim, ssim_uniform

BOTH = pytest.mark.parametrize("metric", [ssim, ssim_uniform])


def value(metric, first, second, data_range=255):
    (measured,) = metric(first, second, data_range=data_range).values()
    return measured


def wave(height=16, width=20, rows=3):
    """Images made of whole numbers, the same on every machine."""
    place = np.arange(rows * height * width * 3).reshape(rows, height, width, 3)
    first = (place * 7919 % 251).astype(np.uint8)
    return first, (first // 2 + place % 53).astype(np.uint8)


def smooth(seed=0, noise=0.08):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :32] / 8
    first = np.stack([0.5 + 0.4 * np.sin(x + k) * np.cos(y - k) for k in range(3)], axis=-1)[None].repeat(4, 0)
    second = (first + noise * random.normal(size=first.shape)).clip(0, 1)
    return (255 * first).astype(np.uint8), (255 * second).astype(np.uint8)


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


@pytest.mark.parametrize(("metric", "options"), [(ssim, GAUSSIAN), (ssim_uniform, {})])
@pytest.mark.parametrize("images", [wave(), smooth(), wave(11, 11, 1), smooth(1, 0.5)])
def test_equal_to_scikit_image(metric, options, images):
    reference = pytest.importorskip("skimage.metrics").structural_similarity
    expected = [reference(a, b, channel_axis=-1, data_range=255, **options) for a, b in zip(*images)]
    assert value(metric, *images) == pytest.approx(np.mean(expected), abs=1e-10)
    expected = [reference(a / 255, b / 255, channel_axis=-1, data_range=1, **options) for a, b in zip(*images)]
    assert value(metric, images[0] / 255, images[1] / 255, 1) == pytest.approx(np.mean(expected), abs=1e-10)


def test_values_that_scikit_image_gives():
    assert value(ssim, *wave()) == pytest.approx(GIVEN[0], abs=1e-9)
    assert value(ssim_uniform, *wave()) == pytest.approx(GIVEN[1], abs=1e-9)


GIVEN = (0.731677540091472, 0.7277540085721631)  # scikit-image 0.26.0


@BOTH
def test_the_definition_window_by_window(metric):
    """A loop over windows and channels, with the weights written out."""
    first, second = (images[:1, :13, :12] / 255 for images in wave())
    side = 11 if metric is ssim else 7
    near = np.exp(-np.square(np.arange(11) - 5) / 4.5) if metric is ssim else np.ones(7)
    weight = np.outer(near, near) / near.sum() ** 2
    unbiased = 1 if metric is ssim else 49 / 48
    found = []
    for top in range(13 - side + 1):
        for left in range(12 - side + 1):
            for channel in range(3):
                x, y = (z[0, top : top + side, left : left + side, channel] for z in (first, second))
                mx, my = (weight * x).sum(), (weight * y).sum()
                vx, vy = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum()
                cov = unbiased * (weight * (x - mx) * (y - my)).sum()
                v = unbiased * (vx + vy)
                found.append((2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (v + 9e-4)))
    assert value(metric, first, second, 1) == pytest.approx(np.mean(found), abs=1e-12)


@BOTH
@settings(max_examples=25, deadline=None)
@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_constant_images_have_a_closed_form(metric, a, b):
    first, second = (np.full((2, 12, 12, 1), level) for level in (a, b))
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert value(metric, first, second, 1) == pytest.approx(expected, abs=1e-9)


@BOTH
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_identical_is_one_symmetric_and_in_range(metric, seed):
    first, second = np.random.default_rng(seed).integers(0, 256, (2, 2, 12, 13, 3), dtype=np.uint8)
    measured = value(metric, first, second)
    assert value(metric, first, first) == pytest.approx(1, abs=1e-12)
    assert value(metric, second, first) == pytest.approx(measured)
    assert -1 <= measured <= 1
    assert value(metric, first[:, ::-1, ::-1], second[:, ::-1, ::-1]) == pytest.approx(measured)


@BOTH
def test_more_noise_is_less_similar_and_a_negative_less_than_nothing(metric):
    by_noise = [value(metric, *smooth(0, noise)) for noise in (0.0, 0.02, 0.1, 0.3)]
    assert by_noise == sorted(by_noise, reverse=True)
    first, _ = wave()
    assert value(metric, first, 255 - first) < 0


@BOTH
def test_it_is_the_mean_over_images_also_past_a_chunk(metric):
    first, second = wave(11, 11, 5)
    singles = [value(metric, first[i : i + 1], second[i : i + 1]) for i in range(5)]
    assert value(metric, first, second) == pytest.approx(np.mean(singles))
    many = CHUNK + 4  # 52 times the five images
    repeated = value(metric, np.resize(first, (many, 11, 11, 3)), np.resize(second, (many, 11, 11, 3)))
    assert repeated == pytest.approx(np.mean(singles))


@pytest.mark.parametrize(("metric", "side"), [(ssim, 11), (ssim_uniform, 7)])
def test_images_smaller_than_the_window_are_refused(metric, side):
    first, second = wave(side, side)
    value(metric, first, second)
    with pytest.raises(ValueError, match=rf"{side - 1} x {side} pixels are smaller than the window of {side}"):
        value(metric, first[:, 1:], second[:, 1:])


@BOTH
def test_other_shapes_are_refused(metric):
    with pytest.raises(ValueError, match="one shape and dtype"):
        value(metric, wave()[0], wave(17)[1])
