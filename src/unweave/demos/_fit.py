"""Dense networks, and training on pictures in memory, for demonstrations whose problem is no data set."""

from collections.abc import Iterator
from typing import Any

import torch
from accelerate import Accelerator
from jaxtyping import Float
from torch import Tensor, nn

from unweave import progress
from unweave.method import Batch, Trainable
from unweave.runs.settings import TrainingSettings
from unweave.tensors import Images
from unweave.training import loop

BATCH = 64
WIDTH = 128


class FlatPixels(nn.Module):
    """Images in [-1, 1] as rows of numbers in [0, 1], so that a black background is 0."""

    def forward(self, images: Images) -> Float[Tensor, "batch pixel"]:
        return (images.flatten(1) + 1) / 2


def dense(inputs: int, outputs: int) -> list[nn.Module]:
    """Three linear layers with ReLU between them, the hidden ones 128 wide."""
    first = [nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU()]
    return [*first, nn.Linear(WIDTH, outputs)]


def fit(
    method: Trainable, pictures: Images, images: int, rng: torch.Generator, batch: int = BATCH, **training: Any
) -> None:
    """Train a method until it has seen so many `images`, drawn at random from the pictures, a `batch` at a time."""
    settings = TrainingSettings(
        images=images, batch=batch, **{"rate": 1e-3, "weight_decay": 0.0, "precision": "float32", **training}
    )

    def batches() -> Iterator[Batch]:
        for seen in range(0, images, batch):
            rows = torch.randint(len(pictures), (batch,), generator=rng)
            yield Batch(pictures[rows], rows, seen, images)

    players = method.train().players()
    optimisers, accelerator = loop.optimisers(players, settings), Accelerator(cpu=True)
    with progress.task("training", images, "images") as task:
        for step in loop.steps(players, batches(), optimisers, settings, accelerator, rng):
            task.update(step.seen)
