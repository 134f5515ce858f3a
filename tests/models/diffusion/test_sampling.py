from collections.abc import Callable

import pytest
import torch
from tests.conftest import abar_of
from torch import Tensor

from unweave.method import Sampling
from unweave.models.diffusion import noising
from unweave.models.diffusion.noising import Prediction, Schedule
from unweave.models.diffusion.sampling import check_sampling, invert, sample

SPREAD = 0.5


def gaussian(prediction: Prediction) -> Callable[[Tensor, Tensor], Tensor]:
    """The exact denoiser of images whose pixels are independent N(0, SPREAD²)."""
    abar = abar_of("cosine")

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        a = abar[int(t)]
        variance = a * SPREAD**2 + 1 - a
        x0, eps = a.sqrt() * SPREAD**2 / variance * x, (1 - a).sqrt() / variance * x
        return {"x0": x0, "eps": eps, "v": a.sqrt() * eps - (1 - a).sqrt() * x0}[prediction]

    return denoise


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++"])
def test_sampling_gives_the_distribution_and_undoes_the_inversion(prediction: Prediction, sampler: str) -> None:
    config = noising.scheduler_config("cosine", prediction)
    sampling = Sampling(sampler, 100)
    rng = torch.Generator().manual_seed(0)
    images = SPREAD * torch.randn(4, 3, 8, 8, generator=rng)
    drawn = sample(gaussian(prediction), torch.randn(64, 3, 8, 8, generator=rng), config, sampling)
    assert abs(drawn.std().item() - SPREAD) < 0.02
    x_T = invert(gaussian(prediction), images, config, sampling)
    assert abs(x_T.std().item() - 1) < 0.06
    assert (sample(gaussian(prediction), x_T, config, sampling) - images).abs().mean() < 0.02


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
@pytest.mark.parametrize(("sampler", "gain"), [("ddim", 1.9), ("dpmsolver++", 2.8)])
def test_inversion_gains_by_more_steps_as_its_sampler_does(prediction: Prediction, sampler: str, gain: float) -> None:
    """For Gaussian pixels the flow is known: it stretches every pixel by the ratio of the standard deviations.

    Twice the steps halve an error of first order; of the multistep's, which tends to a quarter, 0.35 is left here.
    """
    config, images = noising.scheduler_config("linear", prediction), torch.linspace(-1, 1, 12).reshape(1, 3, 2, 2)
    abar = abar_of("linear")

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        a = abar[int(t)]
        eps = (1 - a).sqrt() / (a * SPREAD**2 + 1 - a) * x
        x0 = a.sqrt() * SPREAD**2 / (a * SPREAD**2 + 1 - a) * x
        return {"x0": x0, "eps": eps, "v": a.sqrt() * eps - (1 - a).sqrt() * x0}[prediction]

    def error(steps: int) -> float:
        calls: list[int] = []

        def counted(x: Tensor, t: Tensor) -> Tensor:
            calls.append(int(t))
            return denoise(x, t)

        x_T = invert(counted, images, config, Sampling(sampler, steps), trailing=True)
        assert len(calls) == steps
        assert max(calls) < 999  # the last call is at the time before the last
        exact = images * ((abar[-1] * SPREAD**2 + 1 - abar[-1]) ** 0.5 / SPREAD)
        return ((x_T - exact).norm() / exact.norm()).item()

    errors = [error(steps) for steps in (25, 50, 100)]
    assert errors[0] / errors[1] > gain
    assert errors[1] / errors[2] > gain


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++"])
@pytest.mark.parametrize(
    ("trailing", "steps", "allowed"),
    [
        (True, 2, 0.9),
        (True, 5, 0.5),
        (True, 61, 0.1),
        (True, 103, 0.1),
        (True, 400, 0.03),
        (False, 5, 0.5),
        (False, 50, 0.1),
    ],
)
def test_inversion_follows_the_flow_whatever_the_number_of_steps(
    schedule: Schedule, sampler: str, trailing: bool, steps: int, allowed: float
) -> None:
    """Also numbers that do not divide 1000, whose strides differ."""
    abar, images = abar_of(schedule), torch.linspace(-1, 1, 12).reshape(1, 3, 2, 2)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        a = abar[int(t)]
        return (1 - a).sqrt() / (a * SPREAD**2 + 1 - a) * x

    x_T = invert(
        denoise, images, noising.scheduler_config(schedule, "eps"), Sampling(sampler, steps), trailing=trailing
    )
    exact = images / SPREAD
    assert ((x_T - exact).norm() / exact.norm()).item() < allowed


@pytest.mark.parametrize("trailing", [True, False])
@pytest.mark.parametrize("first", [0, 500])
@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++"])
def test_more_steps_of_inversion_end_where_the_sampler_begins(sampler: str, first: int, trailing: bool) -> None:
    """And come nearer to the x_T of that time, which for Gaussian pixels is known."""
    config, images = noising.scheduler_config("linear", "eps"), torch.linspace(-1, 1, 12).reshape(1, 3, 2, 2)
    abar = abar_of("linear")
    times: list[int] = []

    def deviation(t: int) -> Tensor:
        return (abar[t] * SPREAD**2 + 1 - abar[t]).sqrt()

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        times.append(int(t))
        return (1 - abar[int(t)]).sqrt() / deviation(int(t)) ** 2 * x

    few = Sampling(sampler, 16)
    sample(denoise, images, config, few, first=first, trailing=trailing)
    top, errors = times[0], []
    for sampling in (few, few._replace(inversion=200)):
        times.clear()
        x_T = invert(denoise, images, config, sampling, first, trailing)
        earliest = times[0]
        exact = images * (abar[earliest].sqrt() / deviation(earliest) if first else 1 / SPREAD) * deviation(top)
        errors.append(((x_T - exact).norm() / exact.norm()).item())
        assert max(times) < top
    assert errors[1] < errors[0] / 2
    check_sampling(few._replace(inversion=200))
    with pytest.raises(ValueError, match=r"inversion steps must be in 2\.\.500, got 501"):
        check_sampling(few._replace(inversion=501))


@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++"])
def test_inversion_from_a_first_time_follows_the_flow_from_there(sampler: str) -> None:
    abar, images = abar_of("linear"), torch.linspace(-1, 1, 12).reshape(1, 3, 2, 2)

    def deviation(t: int) -> Tensor:
        return (abar[t] * SPREAD**2 + 1 - abar[t]).sqrt()

    times: list[int] = []

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        times.append(int(t))
        return (1 - abar[int(t)]).sqrt() / deviation(int(t)) ** 2 * x

    x_T = invert(denoise, images, noising.scheduler_config("linear", "eps"), Sampling(sampler, 50), 500, trailing=True)
    earliest = times[0]
    assert 500 <= earliest < 520
    exact = abar[earliest].sqrt() * images / deviation(earliest) * deviation(999)
    assert ((x_T - exact).norm() / exact.norm()).item() < (0.02 if sampler == "ddim" else 0.002)


def test_the_three_predictions_draw_the_same_image() -> None:
    x_T = torch.randn(2, 3, 4, 4)
    drawn = [
        sample(gaussian(kind), x_T, noising.scheduler_config("cosine", kind), Sampling("ddim", 20))
        for kind in ("eps", "v", "x0")
    ]
    torch.testing.assert_close(drawn[0], drawn[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(drawn[0], drawn[2], atol=1e-4, rtol=1e-4)


def test_ddim_of_the_release_steps_at_1_6_to_996() -> None:
    times: list[int] = []

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        times.append(int(t))
        return torch.zeros_like(x)

    sample(denoise, torch.zeros(1, 1, 2, 2), noising.scheduler_config("sqrt_linear", "eps"), Sampling("ddim", 200))
    assert times == list(range(996, 0, -5))


def test_eta_one_needs_and_uses_the_generator() -> None:
    config, x_T = noising.scheduler_config("cosine", "eps"), torch.randn(1, 1, 4, 4)
    stochastic = Sampling("ddim", 10, eta=1.0)
    one, same, other = (
        sample(gaussian("eps"), x_T, config, stochastic, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (Sampling("euler", 10), "sampler must be one of"),
        (Sampling("ddim", 1), "steps must be in"),
        (Sampling("ddim", 501), "steps must be in"),
        (Sampling("dpmsolver++", 10, 0.5), "eta must be"),
    ],
)
def test_what_cannot_be_sampled_is_refused(sampling: Sampling, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_sampling(sampling)


@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++"])
@pytest.mark.parametrize("first", [100, 800, 950])
@pytest.mark.parametrize("steps", [2, 20, 100])
def test_all_steps_lie_after_the_first_time_and_end_at_x_0(sampler: str, first: int, steps: int) -> None:
    times: list[int] = []
    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def perfect(x: Tensor, t: Tensor) -> Tensor:
        times.append(int(t))
        return images  # predicts x_0

    config, sampling = noising.scheduler_config("cosine", "x0"), Sampling(sampler, steps)
    torch.testing.assert_close(sample(perfect, torch.randn(2, 3, 4, 4), config, sampling, None, first), images)
    expected = min(steps, (1000 - first) // 2)
    assert 0.5 * expected <= len(times) <= 1.4 * expected + 1
    assert min(times) >= first
    times.clear()
    x_T = invert(perfect, images, config, sampling, first)
    assert x_T.isfinite().all()
    assert not times or min(times) >= first
