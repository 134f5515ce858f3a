import copy

import pytest
import torch
from torch import Tensor, nn

from unweave.training.soap import Soap, as_matrices, by_shape


def descend(weight: Tensor, target: Tensor, data: Tensor, steps: int, **settings: float) -> Tensor:
    """`steps` of SOAP on ‖(W - target) data‖² without weight decay."""
    parameter = nn.Parameter(weight.clone())
    optimiser = Soap([parameter], weight_decay=0.0, **settings)
    for _ in range(steps):
        optimiser.zero_grad()
        ((parameter - target) @ data).square().sum().backward()
        optimiser.step()
    return parameter.detach()


def test_one_side_may_be_rotated() -> None:
    """The law that Adam does not have: rotated outputs are trained to the rotated weights."""
    rng = torch.Generator().manual_seed(0)
    weight, target, data = (
        torch.randn(shape, generator=rng, dtype=torch.float64) for shape in ((6, 9), (6, 9), (9, 30))
    )
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=rng, dtype=torch.float64)).Q
    straight = descend(weight, target, data, 25, lr=0.05)
    rotated = descend(rotation @ weight, rotation @ target, data, 25, lr=0.05)
    torch.testing.assert_close(rotated, rotation @ straight, atol=1e-7, rtol=0)


def test_a_transposed_weight_takes_transposed_steps() -> None:
    rng = torch.Generator().manual_seed(1)
    start, gradient = torch.randn(5, 8, generator=rng), torch.randn(5, 8, generator=rng)
    wide, tall = nn.Parameter(start.clone()), nn.Parameter(start.T.clone())
    optimiser = Soap([wide, tall], lr=0.1)
    for _ in range(12):
        wide.grad, tall.grad = gradient.clone(), gradient.T.clone()
        optimiser.step()
    torch.testing.assert_close(wide.detach(), tall.detach().T)


def test_weights_of_one_shape_do_not_mix() -> None:
    """Stepped together or alone, as matrices of one stack or as weights, and as convolutions: the same steps."""
    rng = torch.Generator().manual_seed(2)
    starts = torch.randn(3, 4, 18, generator=rng)
    gradients = torch.randn(21, 3, 4, 18, generator=rng)
    apart = [nn.Parameter(start.clone()) for start in starts]
    stacked, convolutions = nn.Parameter(starts.clone()), [nn.Parameter(s.reshape(4, 2, 3, 3).clone()) for s in starts]
    alone = copy.deepcopy(apart)
    optimisers = [
        Soap(apart),
        Soap([stacked]),
        Soap(convolutions),
        *(Soap([weight]) for weight in alone),
    ]
    for gradient in gradients:
        stacked.grad = gradient.clone()
        for i in range(3):
            apart[i].grad, alone[i].grad = gradient[i].clone(), gradient[i].clone()
            convolutions[i].grad = gradient[i].reshape(4, 2, 3, 3).clone()
        for optimiser in optimisers:
            optimiser.step()
    expected = torch.stack(list(apart)).detach()
    assert (expected - starts).abs().max() > 0.01
    for others in (stacked, torch.stack(alone), torch.stack(convolutions).flatten(2)):
        torch.testing.assert_close(others.detach().reshape(3, 4, 18), expected, atol=1e-5, rtol=1e-4)


def test_vectors_and_large_sides_are_stepped_by_adamw() -> None:
    rng = torch.Generator().manual_seed(3)
    starts = [torch.randn(shape, generator=rng) for shape in ((7,), (12, 13), (1, 9), ())]
    ours, theirs = ([nn.Parameter(s.clone()) for s in starts] for _ in range(2))
    settings = {"lr": 0.02, "betas": (0.9, 0.98), "weight_decay": 0.1}
    optimisers = (Soap(ours, largest=11, **settings), torch.optim.AdamW(theirs, **settings))
    for _ in range(6):
        for mine, other in zip(ours, theirs):
            mine.grad = torch.randn(mine.shape, generator=rng)
            other.grad = mine.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    for mine, other in zip(ours, theirs):
        torch.testing.assert_close(mine.detach(), other.detach(), atol=1e-6, rtol=1e-5)


def test_it_goes_where_adam_is_slow() -> None:
    """Outputs of very different sizes, mixed by a rotation: nearer after 200 steps than Adam with its best rate."""
    rng = torch.Generator().manual_seed(4)
    mixing = torch.linalg.qr(torch.randn(16, 16, generator=rng)).Q @ torch.diag(torch.logspace(0, -3, 16))
    target, data = torch.randn(16, 32, generator=rng), torch.randn(32, 64, generator=rng)

    def ends(kind: type[torch.optim.Optimizer], rate: float) -> float:
        weight = nn.Parameter(torch.zeros(16, 32))
        optimiser = kind([weight], lr=rate, weight_decay=0.0)
        for _ in range(200):
            optimiser.zero_grad()
            (mixing.T @ (weight - target) @ data).square().sum().backward()
            optimiser.step()
        return float((weight.detach() - target).square().mean())

    rates = (0.003, 0.01, 0.03, 0.1)
    assert min(ends(Soap, r) for r in rates) < 0.5 * min(ends(torch.optim.AdamW, r) for r in rates)


def test_its_state_goes_through_a_dictionary() -> None:
    rng = torch.Generator().manual_seed(5)
    gradients = [[torch.randn(s, generator=rng) for s in ((4, 6), (6, 4), (5,))] for _ in range(25)]
    first = [nn.Parameter(torch.ones(s)) for s in ((4, 6), (6, 4), (5,))]
    optimiser = Soap(first)
    for step, gradient in enumerate(gradients):
        if step == 13:
            second = [nn.Parameter(p.detach().clone()) for p in first]
            other = Soap(second)
            other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
        for p, g in zip(first, gradient):
            p.grad = g.clone()
        optimiser.step()
        if step >= 13:
            for p, g in zip(second, gradient):
                p.grad = g.clone()
            other.step()
    assert all(torch.equal(a, b) for a, b in zip(first, second))


def test_a_weight_without_a_gradient_counts_as_zero() -> None:
    weights = [nn.Parameter(torch.ones(3, 4)) for _ in range(2)]
    optimiser = Soap(weights, weight_decay=0.0)
    weights[0].grad = torch.ones(3, 4)
    optimiser.step()
    assert torch.equal(weights[1], torch.ones(3, 4))
    assert not torch.equal(weights[0], torch.ones(3, 4))


@pytest.mark.parametrize(
    ("shape", "side"), [((8, 3, 3, 3), (8, 27)), ((20, 1, 64), (0, 0)), ((64, 8), (8, 64)), ((5,), (0, 0))]
)
def test_which_side_has_a_basis(shape: tuple[int, ...], side: tuple[int, int]) -> None:
    weight = torch.zeros(shape)
    assert list(by_shape([weight], 256)) == [side]
    if side != (0, 0):
        assert as_matrices(weight).shape[1:] == side


def test_memory_formats_take_the_same_steps() -> None:
    rng = torch.Generator().manual_seed(6)
    start, gradients = torch.randn(8, 4, 3, 3, generator=rng), torch.randn(12, 8, 4, 3, 3, generator=rng)
    plain, last = nn.Parameter(start.clone()), nn.Parameter(start.clone().to(memory_format=torch.channels_last))
    optimisers = Soap([plain]), Soap([last])
    for gradient in gradients:
        plain.grad, last.grad = gradient.clone(), gradient.clone().to(memory_format=torch.channels_last)
        for optimiser in optimisers:
            optimiser.step()
    assert not torch.equal(plain, start)
    torch.testing.assert_close(last.detach(), plain.detach())


def test_frozen_weights_stay_and_a_gradient_that_is_not_finite_raises_nothing() -> None:
    frozen, weight = nn.Parameter(torch.ones(3, 4), requires_grad=False), nn.Parameter(torch.ones(3, 4))
    optimiser = Soap([frozen, weight], lr=0.1, weight_decay=0.5)
    weight.grad = torch.full((3, 4), torch.nan)
    optimiser.step()
    assert torch.equal(frozen, torch.ones(3, 4))
    assert weight.isnan().all()  # what training looks for, and names


def test_a_gradient_of_few_directions() -> None:
    """Rank 1, and zero at first: finite steps, along the direction."""
    rng = torch.Generator().manual_seed(7)
    weight = nn.Parameter(torch.zeros(6, 9))
    direction = torch.outer(torch.randn(6, generator=rng), torch.randn(9, generator=rng))
    optimiser = Soap([weight], lr=0.01, weight_decay=0.0)
    for step in range(30):
        weight.grad = direction * (step > 2)
        optimiser.step()
    assert weight.isfinite().all()
    assert torch.nn.functional.cosine_similarity(weight.detach().flatten(), -direction.flatten(), dim=0) > 0.5


def test_a_state_of_other_weights_is_told() -> None:
    weights = [nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(5))]
    optimiser = Soap(weights)
    optimiser.state[weights[0]] = {
        "step": torch.zeros(()),
        "mean": torch.zeros(1, 3, 4),
        "square": torch.zeros(1, 3, 4),
    }
    with pytest.raises(ValueError, match="train anew"):
        optimiser.step()
