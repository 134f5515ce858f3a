"""The memory of a step, before the first one."""

from typing import Any

import psutil
import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.checkpoint import checkpoint

import unweave
from unweave.config import SettingsError
from unweave.method import Batch, Loss, Player
from unweave.runs.settings import TrainingSettings
from unweave.training import memory


class Wide(nn.Module):
    """Ten layers whose activations have 4 · width bytes an image each; in pieces of `piece` images."""

    def __init__(self, piece: int = 0, width: int = 4096) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.piece, self.width = piece, width
        self.register_buffer("seen", torch.zeros(1))

    def layers(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(10):
            x = (x * self.scale).sin()
        return x.sum(1)

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        self.seen += 1
        x = batch.images.flatten(1)[:, :1].repeat(1, self.width)
        if self.piece:
            x = torch.cat([checkpoint(self.layers, part, use_reentrant=False) for part in x.split(self.piece)])
        else:
            x = self.layers(x)
        return Loss(x.mean(), {"x": x.mean()})


def images(count: int) -> Batch:
    return Batch(torch.rand(count, 3, 8, 8) * 2 - 1, torch.arange(count), 0)


def estimate(module: Wide, count: int) -> tuple[int, int]:
    players = [Player("wide", module, list(module.parameters()), piece=module.piece)]
    return memory.estimate(players, images(count), "float32", Accelerator(cpu=True))


def test_it_counts_what_the_backward_pass_needs() -> None:
    module = Wide()
    fixed, held = estimate(module, 64)
    one = 4 * module.width  # bytes of an activation of one image
    assert fixed == memory.SCRATCH + 3 * 4 * module.width
    assert 20 * 64 * one <= held / memory.SLACK <= 24 * 64 * one  # x and x · scale of ten layers


def test_it_leaves_buffers_and_gradients_as_they_were() -> None:
    module = Wide()
    estimate(module, 8)
    assert module.seen.item() == 0
    assert module.scale.grad is None


def test_pieces_need_less_and_the_estimate_knows() -> None:
    whole, pieces = estimate(Wide(), 64)[1], estimate(Wide(piece=4), 64)[1]
    assert pieces < whole / 6
    one = 4 * Wide().width
    assert pieces / memory.SLACK >= 20 * 4 * one


def test_a_batch_of_one_image_can_be_measured() -> None:
    assert estimate(Wide(), 1)[1] > 0


def test_there_is_memory_here() -> None:
    free = memory.available(torch.device("cpu"))
    assert 0 < free <= psutil.virtual_memory().total


def test_a_step_that_cannot_fit_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(memory, "available", lambda device: memory.SCRATCH + 8 * 2**20)
    with pytest.raises(SettingsError, match=r"needs about .* GiB are free: lower training.batch to \d+\."):
        unweave.train("betavae", data={"name": "sprites", "size": 32}, training={"images": 64}, run=tmp_path / "run")


def test_auto_asks_for_what_either_precision_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bfloat16 holds more than float32 (written-out attention does), its step is the one that must fit."""
    module = Wide()
    players, accelerator = [Player("wide", module, list(module.parameters()))], Accelerator(cpu=True)
    needs = {"float32": (10, 100), "bfloat16": (10, 200)}
    monkeypatch.setattr(memory, "estimate", lambda players, batch, precision, accelerator: needs[precision])
    monkeypatch.setattr(memory, "available", lambda device: 150)
    memory.check(players, images(4), TrainingSettings(precision="float32"), accelerator, pieces=False)
    with pytest.raises(SettingsError, match=r"lower training\.batch"):
        memory.check(players, images(4), TrainingSettings(precision="auto", batch=4), accelerator, pieces=False)
