"""Per-unit lifts: every scalar unit becomes a token through an MLP of its own, all units in one batched product."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from unweave.tensors import Units


class PerUnitLinear(nn.Module):
    """`units` independent linear layers, evaluated as one batched matrix product.

    Initialised as `nn.Linear` would initialise each of them: uniform in +-1/sqrt(inputs).
    """

    def __init__(self, units: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(units, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(units, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "unit batch inputs"]) -> Float[Tensor, "unit batch outputs"]:
        return torch.baddbmm(self.bias, x, self.weight)


class Lift(nn.Module):
    """Unit i through its own MLP 1 -> 64 -> 128 -> token width (ELU between): the lifts of the EncDiff release.

    0.210 M parameters for 20 units and tokens of width 16. Nothing is shared between units and tokens carry no
    positional code, so the lift alone tells the cross-attention which unit a token is.
    """

    def __init__(self, units: int, token: int, hidden: tuple[int, ...] = (64, 128)) -> None:
        super().__init__()
        widths = (1, *hidden, token)
        self.layers = nn.ModuleList(PerUnitLinear(units, a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, units: Units) -> Float[Tensor, "batch unit token"]:
        x = self.layers[0](units.transpose(0, 1))  # (unit, batch, hidden)
        for layer in list(self.layers)[1:]:
            x = layer(functional.elu(x))
        return x.transpose(0, 1)
