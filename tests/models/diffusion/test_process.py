import pytest
import torch
from diffusers import DDPMScheduler

from unweave.models.diffusion import process
from unweave.models.diffusion.process import Schedule

SCHEDULES: tuple[Schedule, ...] = ("sqrt_linear", "cosine", "linear")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noising_and_v_equal_diffusers(schedule: Schedule) -> None:
    scheduler = DDPMScheduler(**process.config(schedule, "v"))
    rng = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(8, 3, 4, 4, generator=rng) for _ in range(2))
    t = process.uniform_times(8, rng, torch.device("cpu"))
    abar = process.alphas_bar(schedule)[t]
    torch.testing.assert_close(process.add_noise(x0, eps, abar), scheduler.add_noise(x0, eps, t))
    torch.testing.assert_close(process.target("v", x0, eps, abar), scheduler.get_velocity(x0, eps, t))


def test_the_release_schedule_is_linear_in_the_square_root_of_beta() -> None:
    i = torch.arange(1000, dtype=torch.float64)
    betas = (0.0015**0.5 + i / 999 * (0.0155**0.5 - 0.0015**0.5)) ** 2
    torch.testing.assert_close(process.alphas_bar("sqrt_linear"), (1 - betas).cumprod(0).float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_signal_only_falls(schedule: Schedule) -> None:
    abar = process.alphas_bar(schedule)
    assert abar.shape == (1000,)
    assert (abar.diff() < 0).all()
    assert abar[0] > 0.99
    assert abar[-1] < 0.02


def test_times_are_uniform_over_all_steps() -> None:
    t = process.uniform_times(100_000, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert (t.min(), t.max()) == (0, 999)
    assert t.float().mean().sub(499.5).abs() < 5
