"""torch.compile for the networks of a method, where this machine can do it."""

import torch
from torch import nn


def compile_networks(method: nn.Module, device: torch.device) -> str | None:
    """Compile every network of a method in place; or leave all as they are and return why, in one line.

    Compiled code is written at the first step, so a function of one line is tried first: what is missing (on the CPU a
    C++ compiler, on a GPU Triton) is missing for it too.
    """
    torch.compiler.reset()  # what was tried before and failed is remembered otherwise
    try:
        torch.compile(_trial)(torch.ones(8, device=device))
    except Exception as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    for child in method.children():
        child.compile()
    return None


def _trial(x: torch.Tensor) -> torch.Tensor:
    return (x.sin() + 1).sum()
