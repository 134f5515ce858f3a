"""Forward and backward passes that leave no trace, to time them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator

from unweave import devices
from unweave.method import Batch, Player
from unweave.training.loop import autocast


def forward_backward(players: list[Player], batch: Batch, precision: str, accelerator: Accelerator) -> None:
    """The objective of every player and its gradient, which is dropped; no weight changes."""
    rng = torch.Generator().manual_seed(0)
    for player in players:
        with autocast(precision, accelerator):
            loss = player.module(batch, rng)
        accelerator.backward(loss.total)
    devices.synchronize(accelerator.device)
    for player in players:
        for parameter in player.parameters:
            parameter.grad = None


@contextmanager
def unchanged(players: list[Player]) -> Iterator[None]:
    """After the `with`, all that no gradient trains is as before: buffers (BatchNorm statistics, a queue), weights that
    follow others, and torch's generators, from which dropout draws.

    `Player.after` must not be called inside it.
    """
    modules = [player.module for player in players]
    following = [weight for module in modules for weight in module.parameters() if not weight.requires_grad]
    kept = [*following, *(buffer for module in modules for buffer in module.buffers())]
    stored = [tensor.detach().clone() for tensor in kept]
    with devices.random_states_kept():
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, before in zip(kept, stored):
                    tensor.copy_(before)
