import pytest
import torch
from torch import nn

from unweave.method import Player, Trainable
from unweave.training.ema import Average, covered


class Two(Trainable):
    def __init__(self, *averaged: str) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(2, 2), nn.Linear(2, 2)
        self.averaged = averaged

    def players(self) -> list[Player]:
        return []


def test_a_method_says_what_is_covered() -> None:
    assert list(covered(Two("one"))) == ["one.weight", "one.bias"]
    assert len(covered(Two(""))) == 4
    assert covered(Two()) == {}


def test_the_average_follows_the_ramp_of_the_releases() -> None:
    method = Two("one")
    average = Average(method, 0.9999)
    expected = method.one.weight.detach().clone()
    for step in range(1, 20):
        method.one.weight.data += torch.randn(2, 2)
        average.step()
        decay = min(0.9999, step / (9 + step)) if step > 1 else 0.0
        expected = decay * expected + (1 - decay) * method.one.weight.detach()
    torch.testing.assert_close(average.tensors()["one.weight"], expected, atol=0.2, rtol=0.2)


def test_applied_puts_the_own_weights_back_also_after_an_error() -> None:
    method = Two("one")
    average = Average(method, 0.5)
    shadow = average.tensors()["one.weight"].clone()
    method.one.weight.data += 1
    own = method.one.weight.detach().clone()

    def fail() -> None:
        with average.applied():
            assert torch.equal(method.one.weight, shadow)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert torch.equal(method.one.weight, own)


def test_a_saved_average_continues_exactly() -> None:
    torch.manual_seed(0)
    changes = torch.randn(10, 2, 2)
    method = Two("one")
    begin = method.one.weight.detach().clone()
    whole = Average(method, 0.9)
    for change in changes:
        method.one.weight.data += change
        whole.step()
    method.one.weight.data = begin.clone()
    first = Average(method, 0.9)
    for change in changes[:4]:
        method.one.weight.data += change
        first.step()
    second = Average(method, 0.9)
    second.load({name: tensor.clone() for name, tensor in first.tensors().items()}, 4)
    for change in changes[4:]:
        method.one.weight.data += change
        second.step()
    assert torch.equal(whole.tensors()["one.weight"], second.tensors()["one.weight"])
