import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.evaluation.metrics.local_isometry import li_cond, li_corr

BOTH = pytest.mark.parametrize("measure", [li_corr, li_cond])


def embedded(seed=0, rows=200, units=3, pixels=30):
    """Codes, and images that are an isometric linear embedding of them."""
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(rows, units))
    return codes @ np.linalg.qr(rng.normal(size=(pixels, units)))[0].T, codes


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.01, 1.0, 300.0]))
def test_an_isometric_embedding_scores_one(seed, scale):
    images, codes = embedded(seed)
    assert li_corr(images, scale * codes)["li_corr"] == pytest.approx(1)
    assert li_cond(images, scale * codes)["li_cond"] == pytest.approx(1)


@BOTH
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_scores_are_in_0_1_and_turning_the_codes_does_not_matter(measure, seed):
    rng = np.random.default_rng(seed)
    images, codes = embedded(seed % 100)
    bent = np.tanh(images) + 0.1 * rng.normal(size=images.shape)
    turned = codes @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + 2
    plain = measure(bent, codes)
    assert all(0 <= score <= 1 for score in plain.values())
    assert measure(bent, turned) == pytest.approx(plain, abs=1e-6)
    assert measure(bent, codes[:, [2, 0, 1]] * [-1, 1, -1]) == pytest.approx(plain, abs=1e-6)


def test_units_of_different_scale_score_lower():  # the counter-example: scale matters unless the codes are whitened
    images, codes = embedded()
    scaled = codes * np.array([1.0, 0.3, 0.1])
    assert li_cond(images, scaled)["li_cond"] == pytest.approx(
        (1 + 1 / 0.3 + 10) ** 2 / (3 * (1 + 1 / 0.09 + 100)), abs=1e-6
    )
    assert li_corr(images, scaled)["li_corr"] < 0.7
    assert li_corr(images, scaled)["li_corr_whitened"] == pytest.approx(li_corr(images, codes)["li_corr_whitened"])


def test_a_scale_that_varies_over_the_rows_scores_lower():
    images, codes = embedded(rows=500, units=1)
    assert li_cond(images, np.exp(codes))["li_cond"] < 0.7


def test_random_codes_score_low():
    images, codes = embedded()
    random = np.random.default_rng(1).normal(size=codes.shape)
    assert max(li_corr(images, random).values()) < 0.05
    assert li_cond(images, random)["li_cond"] < 0.6


def test_random_codes_of_images_of_many_dimensions_score_high_in_li_cond():  # its known defect, by name
    rng = np.random.default_rng(0)
    images, random = rng.normal(size=(200, 500)), rng.normal(size=(200, 3))
    assert li_cond(images, random)["li_cond"] > 0.75
    assert max(li_corr(images, random).values()) < 0.1


@BOTH
def test_stored_images_are_taken_as_they_are(measure):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3)).astype(np.uint8)
    codes = pixels.reshape(50, -1)[:, :5].astype(float)
    assert measure(pixels, codes) == pytest.approx(measure(pixels.reshape(50, -1) / 255.0, codes))


def test_constant_and_superfluous_units():
    images, codes = embedded()
    constant = np.full((200, 2), 0.1)
    assert li_corr(images, constant) == {"li_corr": 0.0, "li_corr_whitened": 0.0}
    assert li_cond(images, constant) == {"li_cond": 0.0}
    more = np.hstack([codes, constant])
    assert li_corr(images, more) == pytest.approx(li_corr(images, codes))
    assert li_cond(images, more)["li_cond"] == pytest.approx(3 / 5)  # three equal values of five


def test_images_that_are_all_equal():
    codes = embedded()[1]
    assert li_cond(np.ones((200, 8)), codes)["li_cond"] == 0
    with pytest.raises(ValueError, match="equally far"):
        li_corr(np.ones((200, 8)), codes)


def test_fewer_rows_than_units():
    images, codes = embedded(rows=6, units=5)
    wide = np.hstack([codes, codes])
    assert 0 <= li_corr(images, wide, neighbours=5)["li_corr_whitened"] <= 1
    with pytest.raises(ValueError, match="neighbours must be 10 or more"):
        li_cond(images, wide, neighbours=5)


@BOTH
def test_what_cannot_be_measured_is_refused(measure):
    images, codes = embedded(rows=30)
    with pytest.raises(ValueError, match=r"codes .*NaN"):
        measure(images, codes * np.nan)
    with pytest.raises(ValueError, match=r"images .*NaN"):
        measure(images * np.nan, codes)
    with pytest.raises(ValueError, match=r"2\.\.29 for 30 rows"):
        measure(images, codes, neighbours=30)
    with pytest.raises(ValueError, match="nothing to measure"):
        measure(images[:0], codes[:0])
