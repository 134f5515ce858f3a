import numpy as np
import pytest

from unweave.factors.evidence import dependence, likeness, overlap_of_pixels, overlap_of_places

RNG = np.random.default_rng(0)


def test_dependence_of_gaussians_is_the_square_of_their_correlation() -> None:
    codes = RNG.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 20_000)
    assert dependence(codes[:, :, None], np.random.default_rng(0))[0, 1] == pytest.approx(0.64, abs=0.05)


@pytest.mark.parametrize("rows", [500, 5_000])
@pytest.mark.parametrize("dim", [1, 3])
def test_independent_units_have_none(rows: int, dim: int) -> None:
    shared = dependence(RNG.standard_normal((rows, 4, dim)), np.random.default_rng(0))
    assert shared[~np.eye(4, dtype=bool)].max() < 0.05
    np.testing.assert_array_equal(shared.diagonal(), 1.0)


def test_likeness_is_that_of_the_second_moments() -> None:
    effects = RNG.standard_normal((3, 6, 3, 4, 4)).astype(np.float32)
    for overlap, moments in (
        (overlap_of_pixels, np.einsum("upi,upj->uij", *2 * [effects.reshape(3, 6, -1)])),
        (overlap_of_places, np.einsum("upi,upj->uij", *2 * [effects.reshape(3, 18, -1)])),
    ):
        flat = moments.reshape(3, -1)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        np.testing.assert_allclose(likeness(overlap(effects).sum((2, 3))), flat @ flat.T, rtol=1e-4)


def test_cosine_and_sine_of_a_hue_are_alike_in_place_alone() -> None:
    red, green = np.zeros((2, 8, 3, 4, 4), np.float32)
    red[:, 0, :2], green[:, 1, :2] = 1, -1
    effects = np.stack([red, green, np.roll(red, 2, 2), np.zeros_like(red)])
    places, pixels = (likeness(of(effects).sum((2, 3))) for of in (overlap_of_places, overlap_of_pixels))
    assert places[0].tolist() == pytest.approx([1, 1, 0, 0])
    assert pixels[0].tolist() == pytest.approx([1, 0, 0, 0])
