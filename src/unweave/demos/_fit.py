"""Training on pictures in memory, for demonstrations whose problem is no data set."""

from collections.abc import Iterator
from typing import Any

import torch
from accelerate import Accelerator

from unweave import progress
from unweave.method import Batch, Trainable
from unweave.runs.settings import TrainingSettings
from unweave.tensors import Images
from unweave.training import loop

BATCH = 64


def fit(method: Trainable, pictures: Images, images: int, rng: torch.Generator, **training: Any) -> None:
    """Train a method until it has seen so many `images`, drawn at random from the pictures, 64 at a time."""
    settings = TrainingSettings(
        images=images, batch=BATCH, **{"rate": 1e-3, "weight_decay": 0.0, "precision": "float32", **training}
    )

    def batches() -> Iterator[Batch]:
        for seen in range(0, images, BATCH):
            rows = torch.randint(len(pictures), (BATCH,), generator=rng)
            yield Batch(pictures[rows], rows, seen)

    players = method.train().players()
    optimisers, accelerator = loop.optimisers(players, settings), Accelerator(cpu=True)
    with progress.task("training", images, "images") as task:
        for step in loop.steps(players, batches(), optimisers, settings, accelerator, rng):
            task.update(step.seen)
