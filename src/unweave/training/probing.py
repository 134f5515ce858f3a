"""Forward and backward passes that leave no trace, to time them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator

from unweave.method import Batch, Player
from unweave.training.loop import autocast


def forward_backward(players: list[Player], batch: Batch, precision: str, accelerator: Accelerator) -> None:
    """The objective of every player and its gradient, which is dropped; no weight changes."""
    rng = torch.Generator().manual_seed(0)
    for player in players:
        with autocast(precision, accelerator):
            loss = player.module(batch, rng)
        accelerator.backward(loss.total)
    if accelerator.device.type == "cuda":
        torch.cuda.synchronize()
    for player in players:
        for parameter in player.parameters:
            parameter.grad = None


@contextmanager
def unchanged(players: list[Player]) -> Iterator[None]:
    """After the `with`, buffers (BatchNorm statistics) and torch's generators, from which dropout draws, are as before.

    `Player.after` must not be called inside it.
    """
    buffers = [(buffer, buffer.clone()) for player in players for buffer in player.module.buffers()]
    with torch.random.fork_rng():
        try:
            yield
        finally:
            for buffer, before in buffers:
                buffer.copy_(before)
