import torch
from accelerate import Accelerator
from tests.methods.test_encdiff import batch, quick

from unweave.training.precision import IMAGES, choose


def test_the_probe_changes_nothing() -> None:
    method = quick()
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    chosen, seconds = choose(method.players(), batch(), Accelerator(cpu=True), repeats=1)
    assert chosen in seconds
    assert all(value > 0 for value in seconds.values())
    assert all(torch.equal(before[name], tensor) for name, tensor in method.state_dict().items())
    assert all(parameter.grad is None for parameter in method.parameters())


def test_few_images_are_probed_on_the_cpu_whatever_the_batch() -> None:
    method, seen = quick(), []
    method.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0].images)))
    choose(method.players(), batch(4 * IMAGES), Accelerator(cpu=True), repeats=1)
    assert seen == [IMAGES] * 4, "twice in each precision"
