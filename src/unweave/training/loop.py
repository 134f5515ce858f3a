"""The training loop: a generator of steps over players. Everything else is the caller's `for`."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Literal, NamedTuple

import torch
from accelerate import Accelerator
from pydantic import Field
from torch import Tensor
from torch.optim import AdamW, Optimizer

from unweave.config import Frozen
from unweave.method import Batch, Player
from unweave.training.schedule import Shape, factor
from unweave.training.soap import Soap


class Settings(Frozen):
    images: int = Field(1_000_000, ge=1, description="budget: images seen, counted with repeats")
    batch: int = Field(128, ge=1, description="images per step, over all processes")
    rate: float = Field(1e-4, gt=0, description="learning rate")
    rates: dict[str, float] = Field({}, description="learning rates of single players, by name")
    warmup: int = Field(0, ge=0, description="images over which the rate rises linearly")
    decay: Shape = Field("constant", description="rate after the warm-up: 'constant', 'cosine' or 'late' decay")
    optimiser: Literal["adamw", "soap"] = Field(
        "adamw", description="'adamw', or 'soap': dearer steps that go further, best with betas [0.95, 0.95]"
    )
    weight_decay: float = Field(0.01, ge=0, description="decoupled from the gradient")
    betas: tuple[float, float] = Field(
        (0.9, 0.999), description="decay of the optimiser's moments; a player may ask for others"
    )
    clip: float | None = Field(None, gt=0, description="largest gradient norm of a player")
    average: float = Field(0.9999, ge=0, lt=1, description="decay of the averaged weights (EMA), with a warm-up ramp")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="'auto' times both and keeps the faster"
    )
    compile: bool = Field(
        False, description="torch.compile the networks where that works (the CPU needs a C++ compiler); takes minutes"
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; all cores if not set")
    tracker: str | None = Field(
        None, description="also log to one of Accelerate's trackers: 'tensorboard', 'wandb', 'mlflow', 'trackio', ..."
    )
    seed: int = Field(0, ge=0, description="of the weights, the order of images and the noise")
    save: int = Field(25_000, ge=1, description="images between checkpoints")
    preview: int = Field(25_000, ge=1, description="images between pictures")


class Step(NamedTuple):
    seen: int  # images seen by all processes, this step's included
    terms: dict[str, Tensor]  # detached; converting one waits for the device


def optimisers(players: list[Player], settings: Settings) -> dict[str, Optimizer]:
    """One per player; its rate is set at every step from the images seen, so it has no state of its own."""
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


def train(
    players: list[Player],
    batches: Iterable[Batch],
    optimisers: dict[str, Optimizer],
    settings: Settings,
    accelerator: Accelerator,
    rng: torch.Generator,
) -> Iterator[Step]:
    """Step every player on every batch, and yield after each batch. Players' modules are already prepared."""
    for batch in batches:
        terms: dict[str, Tensor] = {}
        scale = factor(settings.decay, batch.seen, settings.warmup, settings.images)
        for player in players:
            with autocast(settings.precision, accelerator):
                loss = player.module(batch, rng)
            optimiser = optimisers[player.name]
            optimiser.zero_grad(set_to_none=True)
            accelerator.backward(loss.total)
            if settings.clip is not None:
                accelerator.clip_grad_norm_(player.parameters, settings.clip)
            for group in optimiser.param_groups:
                group["lr"] = scale * settings.rates.get(player.name, settings.rate)
            optimiser.step()
            player.after()
            terms |= {f"{player.name}/{name}": value.detach() for name, value in loss.terms.items()}
        yield Step(batch.seen + len(batch.images) * accelerator.num_processes, terms)


def autocast(precision: str, accelerator: Accelerator) -> AbstractContextManager[None]:
    """bfloat16 where it was chosen; "auto" must have been settled before (see `precision.choose`)."""
    return torch.autocast(accelerator.device.type, torch.bfloat16, enabled=precision == "bfloat16")
