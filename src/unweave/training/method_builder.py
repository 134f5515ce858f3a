"""Small untrained methods on random images, to check what holds for every method (see `training.contract`)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator

from unweave.config import NamedSettings, parse
from unweave.method import Batch, Method, find_method
from unweave.models.diffusion import noising
from unweave.models.foundation import Foundation, FrozenDenoiser
from unweave.models.unet import UNetShape, unconditional_unet
from unweave.runs.settings import TrainingSettings
from unweave.training import loop
from unweave.training.ema import Average
from unweave.training.state import TrainingState

ROWS = 100
SETTINGS = TrainingSettings(images=32, batch=8, rate=1e-3, precision="float32", average=0.9)


class BrokenLawError(ValueError):
    """A method that does not keep a law."""


@dataclass(frozen=True)
class MethodBuilder:
    """Builds an untrained method of the registry, the same one at every call, and batches of random images for it."""

    name: str
    changes: Mapping[str, Any]  # of the method's settings at its `laptop` preset
    size: int

    def settings(self) -> NamedSettings:
        """Raises SettingsError for settings that the method does not have."""
        definition = find_method(self.name)
        preset = definition.presets.get("laptop", {}).get("method", {})
        return parse(definition.settings, {**preset, **self.changes}, "method")

    def __call__(self) -> Method:
        """The method, on random frozen networks where it needs any."""
        classes, denoiser = torch.arange(ROWS) % 5, _random_denoiser(self.size)
        torch.manual_seed(0)
        foundation = Foundation((3, self.size, self.size), ROWS, denoiser=denoiser, class_count=5, classes=classes)
        method = find_method(self.name).build(self.settings(), foundation)
        if not isinstance(method, Method):
            raise BrokenLawError(f"build gives a {type(method).__name__}, which is no unweave.method.Method.")
        return method

    def batch(self, count: int = 4, seed: int = 0, seen: int = 0) -> Batch:
        """The same batch for the same numbers."""
        rng = torch.Generator().manual_seed(seed)
        images = torch.rand(count, 3, self.size, self.size, generator=rng) * 2 - 1
        return Batch(images, torch.arange(seen, seen + count) % ROWS, seen, SETTINGS.images)


def builder(name: str, changes: Mapping[str, Any] | None = None, size: int = 16) -> MethodBuilder:
    """What builds a method of the registry with seed 0."""
    return MethodBuilder(name, changes or {}, size)


def train_steps(state: TrainingState, batches: Iterable[Batch], accelerator: Accelerator) -> None:
    """A step on every batch, as the training loop makes it."""
    state.method.train()
    for _ in loop.steps(state.players, batches, state.optimisers, SETTINGS, accelerator, state.rng):
        state.average.step()


def training_state(method: Method, accelerator: Accelerator) -> TrainingState:
    """What a training begins with."""
    players = [player._replace(module=accelerator.prepare(player.module)) for player in method.players()]
    rng = torch.Generator().manual_seed(0)
    return TrainingState(method, players, loop.optimisers(players, SETTINGS), Average(method, SETTINGS.average), rng)


def _random_denoiser(size: int) -> FrozenDenoiser:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = unconditional_unet(size, 3, UNetShape((8, 16), (False, True), 1, 2, 4, 0.0))
        for parameter in unet.parameters():
            if not parameter.any():  # the last layers, which begin at zero
                torch.nn.init.normal_(parameter, std=0.1)
    return FrozenDenoiser(unet, noising.scheduler_config("linear", "v"))
