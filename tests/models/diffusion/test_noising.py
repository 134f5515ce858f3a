"""Schedules, noising, the way back from what a network predicts, and the factors that carry a field over to eps."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import abar_of

from unweave.models.diffusion import noising
from unweave.models.diffusion.noising import (
    Prediction,
    Schedule,
    add_noise,
    clean_of,
    mean_shift,
    noise_of,
    score_shift,
    velocity_shift,
)

SCHEDULES: tuple[Schedule, ...] = ("sqrt_linear", "cosine", "linear")
NAMES: dict[Prediction, str] = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}
TIMES = torch.tensor([1, 2, 17, 250, 500, 750, 998])


def draw(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x0, eps = (torch.randn(count, 3, 4, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    return x0, eps


@given(
    st.sampled_from(list(NAMES)),
    st.sampled_from(SCHEDULES),
    st.lists(st.integers(0, 999), min_size=1, max_size=5),
    st.integers(0, 99),
)
def test_the_noise_is_what_the_target_was_made_of(
    prediction: Prediction, schedule: Schedule, times: list[int], seed: int
) -> None:
    x0, eps = draw(len(times), seed)
    abar = abar_of(schedule).double()[torch.tensor(times)]
    x_t = add_noise(x0, eps, abar)
    output = noising.target(prediction, x0, eps, abar)
    torch.testing.assert_close(noise_of(NAMES[prediction], output, x_t, abar), eps, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", NAMES)
def test_the_noise_is_what_diffusers_finds(schedule: Schedule, prediction: Prediction) -> None:
    scheduler = DDIMScheduler(
        **noising.scheduler_config(schedule, prediction), clip_sample=False, set_alpha_to_one=False
    )
    scheduler.set_timesteps(1000)
    x_t, output = draw(1)
    for t in TIMES.tolist():
        abar = scheduler.alphas_cumprod[[t]].double()
        eps = noise_of(NAMES[prediction], output, x_t, abar)
        stepped = scheduler.step(output, t, x_t)
        torch.testing.assert_close(clean_of(eps, x_t, abar), stepped.pred_original_sample, rtol=1e-4, atol=1e-5)
        before = scheduler.alphas_cumprod[[t - 1]].double()
        again = add_noise(stepped.pred_original_sample, eps, before)  # DDIM's step, with the same noise
        torch.testing.assert_close(again, stepped.prev_sample, rtol=1e-4, atol=1e-5)


@given(st.sampled_from(SCHEDULES), st.integers(0, 999), st.integers(0, 99))
def test_the_clean_image_and_its_noise_make_the_noised_one(schedule: Schedule, time: int, seed: int) -> None:
    x0, eps = draw(2, seed)
    abar = abar_of(schedule).double()[torch.tensor([time, 999 - time])]
    x_t = add_noise(x0, eps, abar)
    scale = 1 / abar.sqrt().min().item()  # at the last step of the cosine x_0 is all but lost
    torch.testing.assert_close(clean_of(eps, x_t, abar), x0, atol=1e-13 * scale, rtol=1e-9)
    torch.testing.assert_close(add_noise(clean_of(eps, x_t, abar), eps, abar), x_t, atol=1e-10, rtol=1e-10)


def test_what_nobody_predicts_is_an_error() -> None:
    x0, eps = draw(1)
    with pytest.raises(ValueError, match="'sample' or 'v_prediction', got 'flow_prediction'"):
        noise_of("flow_prediction", x0, eps, torch.ones(1, dtype=torch.float64) / 2)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_score_shift_adds_a_field_to_the_score(schedule: Schedule) -> None:
    """The score is -eps / sqrt(1 - abar); with eps + d_t g for eps it is the score plus g."""
    eps, g = draw(len(TIMES))
    abar = abar_of(schedule).double()[TIMES]
    spread = noising.per_image(1 - abar).sqrt()
    shifted = eps + noising.per_image(score_shift(abar)) * g
    torch.testing.assert_close(-shifted / spread, -eps / spread + g)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_velocity_shift_adds_a_field_to_v(schedule: Schedule) -> None:
    """v = sqrt(abar) eps - sqrt(1 - abar) x_0, with the x_0 that eps implies of the same x_t."""
    x_t, v = draw(len(TIMES))
    g, _ = draw(len(TIMES), seed=1)
    abar = abar_of(schedule).double()[TIMES]
    plain, moved = (noise_of("v_prediction", velocity, x_t, abar) for velocity in (v, v + g))
    torch.testing.assert_close(moved, plain + noising.per_image(velocity_shift(abar)) * g)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_mean_shift_moves_the_posterior_mean_by_its_variance_times_the_field(schedule: Schedule) -> None:
    """DDPM's step on eps + s_t g, less that on eps, is Sigma_t g, Sigma_t = beta_t (1 - abar_{t-1}) / (1 - abar_t)."""
    scheduler = DDPMScheduler(**noising.scheduler_config(schedule, "eps"), clip_sample=False)
    x_t, eps = draw(1)
    g, _ = draw(1, seed=1)
    abar = scheduler.alphas_cumprod.double()
    for t in TIMES.tolist():
        shift = mean_shift(abar, torch.tensor([t]))
        moved, still = (
            scheduler.step(noise, t, x_t, generator=torch.Generator().manual_seed(0)).prev_sample
            for noise in (eps + noising.per_image(shift) * g, eps)
        )
        variance = float(scheduler.betas[t] * (1 - abar[t - 1]) / (1 - abar[t]))
        torch.testing.assert_close(moved - still, variance * g, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_mean_shift_is_its_formula(schedule: Schedule) -> None:
    abar = abar_of(schedule).double()
    scheduler = DDPMScheduler(**noising.scheduler_config(schedule, "eps"))
    shift = mean_shift(abar, torch.arange(1000))
    for t in TIMES.tolist():
        alpha = float(scheduler.alphas[t])
        expected = -(alpha**0.5) * (1 - abar[t - 1]) / (1 - abar[t]) ** 0.5
        assert shift[t].item() == pytest.approx(expected.item(), rel=1e-4)
    assert shift[0] == 0
    assert (shift[1:] < 0).all()
    assert (shift.abs() <= score_shift(abar).abs()).all(), "a step takes less than the whole way"


def test_the_shifts_of_a_batch_are_those_of_its_rows() -> None:
    abar, t = abar_of("linear"), torch.tensor([0, 5, 999, 5])
    rows = torch.cat([mean_shift(abar, t[[i]]) for i in range(4)])
    assert torch.equal(mean_shift(abar, t), rows)
    assert not rows.isnan().any()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noising_and_v_equal_diffusers(schedule: Schedule) -> None:
    scheduler = DDPMScheduler(**noising.scheduler_config(schedule, "v"))
    rng = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(8, 3, 4, 4, generator=rng) for _ in range(2))
    t = noising.uniform_times(8, rng, torch.device("cpu"))
    abar = abar_of(schedule)[t]
    torch.testing.assert_close(noising.add_noise(x0, eps, abar), scheduler.add_noise(x0, eps, t))
    torch.testing.assert_close(noising.target("v", x0, eps, abar), scheduler.get_velocity(x0, eps, t))


def test_the_release_schedule_is_linear_in_the_square_root_of_beta() -> None:
    i = torch.arange(1000, dtype=torch.float64)
    betas = (0.0015**0.5 + i / 999 * (0.0155**0.5 - 0.0015**0.5)) ** 2
    torch.testing.assert_close(abar_of("sqrt_linear"), (1 - betas).cumprod(0).float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_signal_only_falls(schedule: Schedule) -> None:
    abar = abar_of(schedule)
    assert abar.shape == (1000,)
    assert (abar.diff() < 0).all()
    assert abar[0] > 0.99
    assert abar[-1] < 0.02


def test_times_are_uniform_over_all_steps() -> None:
    t = noising.uniform_times(100_000, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert (t.min(), t.max()) == (0, 999)
    assert t.float().mean().sub(499.5).abs() < 5


@pytest.mark.parametrize(("kind", "power"), [("l1", 1), ("l2", 2)])
def test_the_distance_is_the_mean_error_of_each_image(kind: str, power: int) -> None:
    one, other = draw(3)
    expected = [(a - b).abs().pow(power).mean().item() for a, b in zip(one.float(), other.float())]
    assert noising.distance(kind, one.float(), other.float()).tolist() == pytest.approx(expected)
