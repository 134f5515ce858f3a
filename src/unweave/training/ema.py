"""Averaged weights: diffusers' EMA over the sub-modules that a method names."""

from collections.abc import Iterator
from contextlib import contextmanager

from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from unweave.method import Trainable


def covered(method: Trainable) -> dict[str, nn.Parameter]:
    """The parameters that the average covers, by their names in the method."""
    inside = tuple(f"{name}." if name else "" for name in method.averaged)
    return {name: p for name, p in method.named_parameters() if name.startswith(inside) and inside}


class Average:
    """decay_k = min(decay, (1 + k) / (10 + k)) at step k: the ramp of diffusers and of the releases."""

    def __init__(self, method: Trainable, decay: float) -> None:
        self.parameters = covered(method)
        self.ema = EMAModel(list(self.parameters.values()), decay=decay, foreach=True)

    def step(self) -> None:
        if self.parameters:  # diffusers' takes no empty list
            self.ema.step(list(self.parameters.values()))

    def tensors(self) -> dict[str, Tensor]:
        """The averaged tensors by name, for saving."""
        return dict(zip(self.parameters, self.ema.shadow_params))

    def load(self, tensors: dict[str, Tensor], steps: int) -> None:
        """Continue from saved tensors after `steps` updates."""
        for name, shadow in self.tensors().items():
            shadow.data.copy_(tensors[name])
        self.ema.optimization_step = steps

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The method carries the averaged weights inside the `with`, its own again after it."""
        live = list(self.parameters.values())
        if not live:
            yield
            return
        self.ema.store(live)
        self.ema.copy_to(live)
        try:
            yield
        finally:
            self.ema.restore(live)
