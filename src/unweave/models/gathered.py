"""Batches that lie on several processes: gathered rows and batch statistics, with the gradient of one process.

Accelerate averages gradients over processes. Where every process computes the loss of the whole batch from `gather`, or
the loss of its part with statistics of the whole, that average is the gradient of the loss on one process.
"""

from typing import Any

import torch
import torch.distributed as distributed
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

BatchRows = Float[Tensor, "batch dim"]


def processes() -> int:
    """How many train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return distributed.get_rank() if processes() > 1 else 0


def total(x: Tensor) -> Tensor:
    """The sum over processes; its gradient is the sum of theirs."""
    return Sum.apply(x) if processes() > 1 else x


class Sum(torch.autograd.Function):
    """The sum over processes, and in the way back the sum of the gradients of all of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        summed = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return Sum.forward(ctx, gradient)


def gather(rows: BatchRows) -> BatchRows:
    """The rows of all processes in the order of the batch; each must have as many."""
    if processes() == 1:
        return rows
    before, after = rank() * len(rows), (processes() - 1 - rank()) * len(rows)
    return total(functional.pad(rows, (0, 0, before, after)))


class BatchNorm(nn.Module):
    """Batch normalisation over the images (and positions) of all processes (Ioffe & Szegedy, arXiv:1502.03167).

    torch's SyncBatchNorm needs a GPU; this one needs none. On one process it is torch's own function.
    """

    def __init__(self, channels: int, affine: bool = True, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.momentum, self.eps = momentum, eps

    def forward(self, x: Tensor) -> Tensor:
        rest = [axis for axis in range(x.ndim) if axis != 1]
        single = processes() * x.numel() == x.shape[1]  # a last batch of one image has no statistics
        if single or not self.training or processes() == 1:
            trains = self.training and not single
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, trains, self.momentum, self.eps
            )
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        count = processes() * x.numel() // x.shape[1]
        mean = total(x.float().sum(rest)) / count
        centred = x.float() - mean.view(shape)
        variance = total(centred.square().sum(rest)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        y = centred * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None and self.bias is not None:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)
