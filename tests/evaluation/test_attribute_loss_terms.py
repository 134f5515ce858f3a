"""The theory of DiTi: the closed form where there is no model, and what is refused."""

import pytest
import torch

from unweave.evaluation.attribute_loss_terms import attribute_loss, gaussian_loss
from unweave.models.diffusion.process import alphas_bar

ABAR = alphas_bar("linear")
TIMES = (5, 100, 300, 500, 700, 900)


def pair(distance: float, count: int = 4_000) -> tuple[torch.Tensor, torch.Tensor]:
    first = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    step = torch.randn(count, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    return first, first + distance * step / step.flatten(1).norm(dim=1)[:, None, None, None]


@pytest.mark.parametrize("distance", [0.2, 1.0, 3.0])
def test_without_a_model_the_loss_is_the_closed_form(distance: float) -> None:
    first, second = pair(distance)

    def plain(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x_t / ABAR[t].sqrt()[:, None, None, None]

    found = attribute_loss(plain, first, second, ABAR, TIMES, torch.Generator().manual_seed(2))
    expected = gaussian_loss(torch.tensor(distance), ABAR[list(TIMES)])
    torch.testing.assert_close(torch.tensor(found), expected, atol=0.012, rtol=0)
    assert expected[0] < expected[-1] <= 0.5


def test_a_larger_difference_is_lost_later() -> None:
    near, far = gaussian_loss(torch.tensor(0.5), ABAR), gaussian_loss(torch.tensor(3.0), ABAR)
    assert (near[20:] > far[20:]).all()
    assert (near.diff() >= 0).all()


def test_a_perfect_model_loses_nothing_and_one_that_exchanges_them_everything() -> None:
    first, second = pair(1.0, 8)
    for said, loss in ((torch.cat([first, second]), 0.0), (torch.cat([second, first]), 1.0)):
        found = attribute_loss(lambda x, t, said=said: said, first, second, ABAR, [500], torch.Generator())
        assert found == [loss]


def test_what_does_not_fit_is_refused() -> None:
    first, second = pair(1.0, 4)
    rng = torch.Generator()
    with pytest.raises(ValueError, match=r"times must be in 0\.\.999"):
        attribute_loss(lambda x, t: x, first, second, ABAR, [1000], rng)
    with pytest.raises(ValueError, match="one shape"):
        attribute_loss(lambda x, t: x, first, second[:2], ABAR, [10], rng)
