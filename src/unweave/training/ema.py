"""Averaged weights: an exponential moving average over the sub-modules that a method names."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from unweave.method import Trainable


def covered(method: Trainable) -> dict[str, Tensor]:
    """The parameters that the average covers, and the buffers, by their names in the method."""
    parameters, buffers = (
        tuple(f"{name}." if name else "" for name in names) for names in (method.averaged, method.averaged_buffers)
    )
    weights = {name: p for name, p in method.named_parameters() if parameters and name.startswith(parameters)}
    return weights | {name: b for name, b in method.named_buffers() if buffers and name.startswith(buffers)}


class Average:
    """average + (1 - decay_k) (weight - average) at step k, where decay_k = min(decay, k / (9 + k)), and decay_1 is 0.

    The ramp is that of diffusers and of the releases.
    """

    def __init__(self, method: Trainable, decay: float) -> None:
        self.parameters = covered(method)
        self.decay, self.steps = decay, 0
        self.averages = [weight.detach().clone() for weight in self.parameters.values()]

    def step(self) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (9 + self.steps)) if self.steps > 1 else 0.0
        if self.averages:
            get_ema_multi_avg_fn(decay)(self.averages, list(self.parameters.values()), self.steps)

    def tensors(self) -> dict[str, Tensor]:
        """The averaged tensors by name, for saving."""
        return dict(zip(self.parameters, self.averages))

    def load(self, tensors: dict[str, Tensor], steps: int) -> None:
        """Continue from saved tensors after `steps` updates."""
        for name, average in self.tensors().items():
            average.copy_(tensors[name])
        self.steps = steps

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The method carries the averaged weights inside the `with`, its own again after it."""
        live = [weight.data for weight in self.parameters.values()]
        own = [weight.clone() for weight in live]
        try:
            for weight, average in zip(live, self.averages):
                weight.copy_(average)
            yield
        finally:
            for weight, before in zip(live, own):
                weight.copy_(before)
