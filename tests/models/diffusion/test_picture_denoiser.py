"""The denoiser of a Gaussian is known: what it expects of x_t, and the way to x_t and back."""

import pytest
import torch

from unweave.models.diffusion.noising import scheduler_config
from unweave.models.diffusion.picture_denoiser import PictureDenoiser, times_between
from unweave.models.diffusion.process import Process

VARIANCES = torch.linspace(0.05, 0.3, 16).view(1, 4, 4)


def gaussian(prediction: str, first: int = 0) -> PictureDenoiser:
    """Of independent pixels with these variances around 0."""
    process = Process(scheduler_config("linear", prediction))

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        abar = process.abar[t]
        mean = abar.sqrt() * VARIANCES / (abar * VARIANCES + 1 - abar) * x_t
        if prediction == "x0":
            return mean
        eps = (x_t - abar.sqrt() * mean) / (1 - abar).sqrt()
        return eps if prediction == "eps" else abar.sqrt() * eps - (1 - abar).sqrt() * mean

    return PictureDenoiser(process, predict, lambda images: images, lambda x0: x0, (1, 4, 4), first)


@pytest.fixture
def images() -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randn(3, 1, 4, 4, generator=rng).mul(VARIANCES.sqrt()).clamp(-1, 1)


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_the_picture_is_the_posterior_mean_whatever_is_predicted(prediction: str, images: torch.Tensor) -> None:
    denoiser = gaussian(prediction)
    abar = denoiser.process.abar[500]
    expected = abar.sqrt() * VARIANCES / (abar * VARIANCES + 1 - abar) * images
    assert torch.allclose(denoiser.picture(images, 500), expected, atol=1e-4)


def test_the_way_there_and_back_ends_where_it_began(images: torch.Tensor) -> None:
    denoiser, rng = gaussian("x0"), torch.Generator().manual_seed(0)
    rebuilt = denoiser.drawn(denoiser.noised(images, rng, 600, 300), 600, 300)
    assert (rebuilt - images).abs().max() < 0.03


def test_a_network_that_knows_no_early_times_gets_the_noise_of_a_seed(images: torch.Tensor) -> None:
    denoiser = gaussian("x0", first=500)
    one, again, other = (denoiser.noised(images, torch.Generator().manual_seed(seed), 600, 3) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_drawn_x_t_has_the_variance_of_its_time() -> None:
    denoiser = gaussian("x0")
    rng = torch.Generator().manual_seed(0)
    drawn = torch.cat([denoiser.random(rng, 600, 50) for _ in range(200)])
    abar = denoiser.process.abar[600]
    assert torch.allclose(drawn.var(0), abar * VARIANCES + 1 - abar, rtol=0.45)


def test_times_go_both_ways_and_none_comes_twice() -> None:
    assert times_between(0, 999, 3) == [0, 333, 666, 999]
    assert times_between(5, 2, 50) == [5, 4, 3, 2]
