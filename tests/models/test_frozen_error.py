from types import MethodType

import pytest
import torch
from tests.conftest import small_denoiser

from unweave.models.diffusion.noising import noise_of
from unweave.models.foundation import FrozenDenoiser
from unweave.models.frozen_error import ErrorCurve, error_curve, principal_components
from unweave.models.latents import PixelSpace
from unweave.tensors import Images, Times

SHAPE = (3, 16, 16)


def guessing(guess) -> FrozenDenoiser:
    """A denoiser that guesses x_0 as `guess(x_t, abar)` does."""
    denoiser = small_denoiser()

    def features_and_eps(self: FrozenDenoiser, x_t: Images, t: Times) -> tuple[None, Images]:
        abar = self.process.abar[t]
        return None, noise_of("sample", guess(x_t, abar[:, None, None, None]), x_t, abar)

    denoiser.features_and_eps = MethodType(features_and_eps, denoiser)
    return denoiser


def normal_images(variance: float, count: int = 64) -> Images:
    return variance**0.5 * torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def curve_of(denoiser: FrozenDenoiser, images: Images, times: tuple[int, ...]) -> ErrorCurve:
    return error_curve(denoiser, PixelSpace(SHAPE), images, torch.Generator().manual_seed(1), times, batch=24)


def test_the_best_guess_of_normal_images_has_the_error_of_its_closed_form() -> None:
    variance, times = 0.3, (0, 200, 500, 900)
    best = guessing(lambda x_t, abar: abar.sqrt() * variance / (1 - abar + abar * variance) * x_t)
    curve = curve_of(best, normal_images(variance), times)
    abar = best.process.abar[list(times)]
    expected = variance * (1 - abar) / (1 - abar + abar * variance)
    torch.testing.assert_close(torch.tensor(curve.errors), expected, rtol=0.03, atol=1e-5)
    assert curve.mean_picture == pytest.approx(variance, rel=0.03)
    assert curve.blind_times(best.process.abar) == []
    assert curve.at_all_times()[[0, 500]].tolist() == pytest.approx([curve.errors[0], curve.errors[2]])


def test_the_mean_picture_is_blind_and_loses_every_component() -> None:
    images = 0.2 + normal_images(0.1)
    blind = guessing(lambda x_t, _: images.mean(0).expand_as(x_t))
    curve = curve_of(blind, images, (100, 400, 999))
    assert curve.errors == pytest.approx([curve.mean_picture * 63 / 64] * 3, rel=1e-4)
    assert curve.blind_times(blind.process.abar) == [100, 400]  # late nobody sees more
    for errors in curve.components:
        assert errors == pytest.approx([1.0] * 3, rel=1e-3)


def test_worse_than_the_mean_picture_is_told_at_any_time() -> None:
    far = guessing(lambda x_t, _: torch.full_like(x_t, 3.0))
    assert curve_of(far, normal_images(0.1), (10, 999)).blind_times(far.process.abar) == [10, 999]


def test_components_are_those_of_a_thousandth_of_the_variance_and_more() -> None:
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(500, 2, generator=rng) * torch.tensor([3.0, 1.0])
    axes = torch.linalg.qr(torch.randn(48, 2, generator=rng)).Q
    images = (codes @ axes.T + 1e-3 * torch.randn(500, 48, generator=rng)).unflatten(1, (3, 4, 4))
    directions, variances = principal_components(images)
    assert directions.shape == (48, 2)
    assert variances.tolist() == pytest.approx(codes.var(0).tolist(), rel=0.02)
    torch.testing.assert_close((directions.T @ axes).abs(), torch.eye(2), atol=0.05, rtol=0)
