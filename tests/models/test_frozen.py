import pytest
import torch
from torch import nn

from unweave.models.frozen import FrozenNetwork


class Holder(nn.Module):
    """A trained layer and a frozen network, with a buffer and a layer that behaves otherwise in training."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Linear(3, 3)
        self.frozen = FrozenNetwork(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)))


@pytest.fixture
def holder() -> Holder:
    torch.manual_seed(0)
    return Holder()


def test_its_tensors_are_in_no_checkpoint_of_any_module_around_it(holder: Holder) -> None:
    assert set(holder.state_dict()) == {"own.weight", "own.bias"}
    assert set(nn.Sequential(holder).state_dict()) == {"0.own.weight", "0.own.bias"}
    assert set(holder.frozen.state_dict()) == set()


def test_a_strict_load_leaves_it_as_it_is(holder: Holder) -> None:
    saved = {name: tensor + 1 for name, tensor in holder.state_dict().items()}
    before = {name: tensor.clone() for name, tensor in holder.frozen.network.state_dict().items()}
    assert list(holder.load_state_dict(saved)) == [[], []]
    assert set(saved) == {"own.weight", "own.bias"}, "the caller's state is not touched"
    for name, tensor in holder.frozen.network.state_dict().items():
        assert torch.equal(tensor, before[name])
    torch.testing.assert_close(holder.own.weight.data, saved["own.weight"])
    with pytest.raises(RuntimeError, match=r"own\.bias"):
        holder.load_state_dict({"own.weight": saved["own.weight"]})
    with pytest.raises(RuntimeError, match="stranger"):
        holder.load_state_dict({**saved, "stranger": saved["own.bias"]})


def test_buffers_that_no_checkpoint_has_and_tied_weights_are_no_hindrance() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[1].weight = network[0].weight
    network.register_buffer("table", torch.ones(2), persistent=False)
    holder = nn.ModuleDict({"frozen": FrozenNetwork(network), "own": nn.Linear(2, 2)})
    assert list(holder.load_state_dict(holder.state_dict())) == [[], []]
    assert torch.equal(network.table, torch.ones(2))


def test_it_stays_in_eval_mode_whatever_its_holder_does(holder: Holder) -> None:
    x = torch.randn(8, 3)
    statistics = holder.frozen.network[1].running_mean.clone()
    for mode in (True, False, True):
        holder.train(mode)
        assert holder.own.training == mode
        assert not any(module.training for module in holder.frozen.network.modules())
        assert torch.equal(holder.frozen.network(x), holder.frozen.network(x)), "no dropout"
    assert torch.equal(holder.frozen.network[1].running_mean, statistics)


def test_no_gradient_enters_it_and_gradients_pass_through_it(holder: Holder) -> None:
    x = torch.randn(4, 3, requires_grad=True)
    holder.frozen.network(holder.own(x)).sum().backward()
    assert all(not parameter.requires_grad for parameter in holder.frozen.parameters())
    assert all(parameter.grad is None for parameter in holder.frozen.parameters())
    assert holder.own.weight.grad is not None
    assert holder.own.weight.grad.abs().max() > 0
    assert x.grad is not None


def test_an_optimiser_over_everything_changes_nothing_in_it(holder: Holder) -> None:
    before = {name: tensor.clone() for name, tensor in holder.frozen.network.state_dict().items()}
    optimiser = torch.optim.AdamW(holder.parameters(), 0.1, weight_decay=0.5)
    for _ in range(3):
        holder.train()
        holder.frozen.network(holder.own(torch.randn(4, 3))).square().sum().backward()
        optimiser.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in holder.frozen.network.state_dict().items())


def test_it_moves_with_its_holder(holder: Holder) -> None:
    holder.to(torch.float64)
    assert {parameter.dtype for parameter in holder.frozen.network.parameters()} == {torch.float64}
    assert holder.frozen.network[1].running_mean.dtype == torch.float64
