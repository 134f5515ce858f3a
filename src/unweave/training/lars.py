"""LARS, the optimiser of several published self-supervised recipes."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Lars(Optimizer):
    """Layer-wise adaptive rates (You, Gitman, Ginsburg, arXiv:1708.03888, Algorithm 1).

    The gradient of a weight w, decay included, is scaled by `trust` |w| / (|g| + decay |w|), and where `clips` never so
    that its rate is above the one asked for. Biases and the weights of norms (one axis) are neither scaled nor decayed.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.02,
        clips: bool = True,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust, "clips": clips}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    _step(weight, self.state[weight], group)
        return loss


def _step(weight: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    update = weight.grad
    assert update is not None
    if weight.ndim > 1:
        update = update.add(weight, alpha=group["weight_decay"]) * trust_ratio(weight, update, group)
    if "momentum" not in state:
        state["momentum"] = torch.zeros_like(weight)
    state["momentum"].mul_(group["momentum"]).add_(update)
    weight.sub_(state["momentum"], alpha=group["lr"])


def trust_ratio(weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
    """What the rate of one weight is multiplied by; 1 where the weight or its gradient is zero."""
    size, slope = weight.norm(), gradient.norm()
    ratio = group["trust"] * size / (slope + group["weight_decay"] * size)
    if group["clips"]:
        ratio = (ratio / group["lr"]).clamp(max=1) if group["lr"] > 0 else torch.ones_like(ratio)
    return torch.where((size > 0) & (slope > 0), ratio, torch.ones_like(ratio))
