import pytest
import torch
from tests.conftest import abar_of

from unweave.models.diffusion import noising
from unweave.models.diffusion.weighting import WEIGHTINGS

SNR = torch.logspace(-4, 4, 50)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weights_are_finite_and_never_fall_with_the_signal(name: str) -> None:
    weights = WEIGHTINGS[name](SNR, 2.0)
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    assert (weights.diff() >= 0).all()


def test_snr_weight_turns_the_loss_on_x0_into_the_loss_on_eps() -> None:
    abar = abar_of("cosine")[100:900]
    x0, eps = torch.randn(800, 1, 1, 1), torch.randn(800, 1, 1, 1)
    x_t = noising.add_noise(x0, eps, abar)
    guess = torch.randn(800, 1, 1, 1)  # of x_0
    a = noising.per_image(abar)
    guess_eps = (x_t - a.sqrt() * guess) / (1 - a).sqrt()
    weight = noising.per_image(WEIGHTINGS["snr"](noising.snr(abar), 1e6))
    torch.testing.assert_close(weight * (guess - x0).square(), (guess_eps - eps).square(), rtol=2e-3, atol=1e-3)


def test_min_snr_has_its_corner_at_the_level() -> None:
    assert WEIGHTINGS["min_snr"](torch.tensor([1.0, 2.0, 7.0]), 2.0).tolist() == [0.5, 1.0, 1.0]
