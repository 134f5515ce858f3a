"""The training loop: a generator of steps over players. Everything else is the caller's `for`."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from unweave.method import Batch, Player
from unweave.runs.settings import TrainingSettings
from unweave.training.lars import Lars
from unweave.training.schedule import rate_factor
from unweave.training.soap import Soap


class Step(NamedTuple):
    seen: int  # images seen by all processes, this step's included
    terms: dict[str, Tensor]  # detached; converting one waits for the device


def optimisers(players: list[Player], settings: TrainingSettings) -> dict[str, Optimizer]:
    """One per player; its rate is set at every step from the images seen, so it has no state of its own."""
    if settings.optimiser in ("lars", "sgd"):
        make_sgd = Lars if settings.optimiser == "lars" else SGD
        return {
            player.name: make_sgd(
                player.parameters,
                lr=settings.rates.get(player.name, settings.rate),
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
            )
            for player in players
        }
    make = Soap if settings.optimiser == "soap" else partial(AdamW, fused=True)
    return {
        player.name: make(
            player.parameters,
            lr=settings.rates.get(player.name, settings.rate),
            betas=player.betas or settings.betas,
            weight_decay=settings.weight_decay,
        )
        for player in players
    }


def steps(
    players: list[Player],
    batches: Iterable[Batch],
    optimisers: dict[str, Optimizer],
    settings: TrainingSettings,
    accelerator: Accelerator,
    rng: torch.Generator,
) -> Iterator[Step]:
    """Step every player on every batch, and yield after each batch. Players' modules are already prepared."""
    for batch in batches:
        terms: dict[str, Tensor] = {}
        factor = rate_factor(settings.decay, batch.seen, settings.warmup, settings.images)
        for player in players:
            with autocast(settings.precision, accelerator):
                loss = player.module(batch, rng)
            optimiser = optimisers[player.name]
            optimiser.zero_grad(set_to_none=True)
            accelerator.backward(loss.total)
            if settings.clip is not None:
                accelerator.clip_grad_norm_(player.parameters, settings.clip)
            for group in optimiser.param_groups:
                group["lr"] = factor * settings.rates.get(player.name, settings.rate)
            optimiser.step()
            player.after()
            terms |= {f"{player.name}/{name}": value.detach() for name, value in loss.terms.items()}
        yield Step(batch.seen + len(batch.images) * accelerator.num_processes, terms)


def autocast(precision: str, accelerator: Accelerator) -> AbstractContextManager[None]:
    """bfloat16 where it was chosen; "auto" must have been settled before (see `precision.choose`)."""
    return torch.autocast(accelerator.device.type, torch.bfloat16, enabled=precision == "bfloat16")
