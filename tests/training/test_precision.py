import torch
from accelerate import Accelerator
from tests.methods.test_encdiff import batch, quick

from unweave.training.precision import choose


def test_the_probe_changes_nothing() -> None:
    method = quick()
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    chosen, seconds = choose(method.players(), batch(), Accelerator(cpu=True), repeats=1)
    assert chosen in seconds
    assert all(value > 0 for value in seconds.values())
    assert all(torch.equal(before[name], tensor) for name, tensor in method.state_dict().items())
    assert all(parameter.grad is None for parameter in method.parameters())
