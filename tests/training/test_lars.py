import numpy as np
import pytest
import torch
from torch import nn

from unweave.method import Player
from unweave.runs.settings import TrainingSettings
from unweave.training.lars import Lars
from unweave.training.loop import optimisers


def test_a_matrix_is_scaled_by_its_trust_and_a_bias_is_not() -> None:
    weight, bias = nn.Parameter(torch.full((2, 2), 3.0)), nn.Parameter(torch.full((2,), 3.0))
    optimiser = Lars([weight, bias], lr=0.5, momentum=0.9, weight_decay=0.1, trust=0.02, clips=False)
    w, b, moment = np.full((2, 2), 3.0), np.full(2, 3.0), np.zeros((2, 2))
    for step in range(3):
        g = np.full((2, 2), 1.0 + step)
        weight.grad, bias.grad = torch.tensor(g).float(), torch.ones(2)
        optimiser.step()
        ratio = 0.02 * np.linalg.norm(w) / (np.linalg.norm(g) + 0.1 * np.linalg.norm(w))
        moment = 0.9 * moment + ratio * (g + 0.1 * w)
        w = w - 0.5 * moment
        b = b - 0.5 * sum(0.9**i for i in range(step + 1))
    np.testing.assert_allclose(weight.detach().numpy(), w, rtol=1e-5)
    np.testing.assert_allclose(bias.detach().numpy(), b, rtol=1e-5)


def test_it_never_exceeds_the_rate_where_it_clips() -> None:
    weight = nn.Parameter(torch.full((2, 2), 1e6))
    optimiser = Lars([weight], lr=0.1, momentum=0.0)
    weight.grad = torch.ones(2, 2)
    optimiser.step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), 1e6 - 0.1))


def test_sgd_is_torchs() -> None:
    ours, theirs = (nn.Parameter(torch.arange(6.0).view(2, 3)) for _ in range(2))
    settings = TrainingSettings(optimiser="sgd", rate=0.1, momentum=0.9, weight_decay=0.01)
    first = optimisers([Player("learner", nn.Identity(), [ours])], settings)["learner"]
    second = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(4):
        for weight, optimiser in ((ours, first), (theirs, second)):
            optimiser.zero_grad()
            (weight.square() * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
            optimiser.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("weight", [torch.zeros(2, 2), torch.ones(2, 2)])
def test_zero_weights_and_zero_gradients_are_no_division(weight: torch.Tensor) -> None:
    parameter = nn.Parameter(weight.clone())
    parameter.grad = torch.zeros(2, 2)
    Lars([parameter], lr=0.1).step()
    assert torch.equal(parameter.detach(), weight)
