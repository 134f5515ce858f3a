"""A loss weight that learns the size of the loss: every noise level counts the same."""

import torch
from torch import Tensor, nn

from unweave.models.diffusion.noising import STEPS
from unweave.tensors import PerImage, Times


class Balance(nn.Module):
    """1 / (running mean of the error at that time), in equal stretches of time.

    EDM2 (arXiv:2312.02696, Eq. 14 to 21) learns an uncertainty u(t) beside the network by minimising
    error / u + log u, whose optimum is u = E[error]; here that optimum is followed directly, by an exponential mean
    over the images of each stretch, without gradient.
    """

    def __init__(self, stretches: int = 20, momentum: float = 0.02) -> None:
        super().__init__()
        self.momentum = momentum
        self.typical: Tensor
        self.register_buffer("typical", torch.ones(stretches))

    def forward(self, error: PerImage, t: Times) -> PerImage:
        """The weights of these errors; in train mode the means take the errors in afterwards."""
        stretch = t * len(self.typical) // STEPS
        weight = 1 / self.typical[stretch]
        if self.training:
            with torch.no_grad():
                zeros = torch.zeros_like(self.typical)
                count = zeros.index_add(0, stretch, torch.ones_like(error))
                mean = zeros.index_add(0, stretch, error.detach()) / count.clamp(min=1)
                self.typical.lerp_(mean, 1 - (1 - self.momentum) ** count)
        return weight
