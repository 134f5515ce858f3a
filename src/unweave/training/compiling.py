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
        told = [line for line in str(error).splitlines() if line.strip() and not line.endswith("raised:")]
        return told[0].strip() if told else type(error).__name__
    for child in method.children():
        child.compile()
    return None


def _trial(x: torch.Tensor) -> torch.Tensor:
    return (x.sin() + 1).sum()
