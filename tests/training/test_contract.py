from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

from unweave import registry
from unweave.method import Batch, Loss, MethodDefinition, OneShot, Player
from unweave.methods import betavae
from unweave.training import contract
from unweave.training.contract import LAWS, check_method
from unweave.training.method_builder import BrokenLawError, builder


class Sound(OneShot):
    """A linear autoencoder that keeps every law."""

    def __init__(self, settings: object, foundation: object) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(768, 4), nn.Linear(4, 768)

    def players(self) -> list[Player]:
        return [Player("sound", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        error = (self.decoder(self.encode(batch.images).flatten(1)) - batch.images.flatten(1)).square().mean()
        return Loss(error, {"error": error})

    def encode(self, images):
        return self.encoder(images.flatten(1)).unsqueeze(-1)

    def decode(self, units, start, sampling, rng=None):
        return self.decoder(units.flatten(1)).unflatten(1, (3, 16, 16)).clamp(-1, 1)


class Forgets(Sound):
    def players(self) -> list[Player]:
        return [Player("sound", self, list(self.encoder.parameters()))]


class Draws(Sound):
    def forward(self, batch, rng):
        loss = super().forward(batch, rng)
        return loss._replace(total=loss.total * torch.rand(()))


class Flat(Sound):
    """Its decoder is reached by a gradient of zero."""

    def forward(self, batch, rng):
        code, rebuilt = self.encode(batch.images), self.decoder(self.encode(batch.images).flatten(1))
        cost = code.square().mean() + 0 * rebuilt.mean()
        return Loss(cost, {"cost": cost})


class Noisy(Sound):
    def encode(self, images):
        return super().encode(images) + torch.randn(())


class Unbounded(Sound):
    def decode(self, units, start, sampling, rng=None):
        return super().decode(units, start, sampling) * 100 + 1


class Remembers(Sound):
    """Its third step is another one than the first of a new process."""

    steps = 0

    def forward(self, batch, rng):
        self.steps += 1
        loss = super().forward(batch, rng)
        return loss._replace(total=loss.total * self.steps)


class Averages(Sound):
    averaged = ("encodr",)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], None]:
    """A class in the place of the method `betavae`."""

    def put(method: type) -> None:
        module = ModuleType("own")
        module.__dict__["METHOD"] = MethodDefinition(
            betavae.METHOD.settings, method, betavae.METHOD.presets, betavae.CITATION
        )
        monkeypatch.setattr(registry, "trainable", lambda name: module)

    return put


@pytest.mark.parametrize(
    ("method", "law", "said"),
    [
        (Forgets, "players cover the parameters", "of no player: .*decoder.bias"),
        (Draws, "objectives can be trained", "draws random numbers from elsewhere"),
        (Flat, "objectives can be trained", "the gradient of decoder is zero"),
        (Noisy, "encoding is deterministic", "another code the second time"),
        (Unbounded, "decoding takes codes", r"clamp to \[-1, 1\]"),
        (Remembers, "resuming is bit-exact", "keep state in parameters"),
        (Averages, "averaged names exist", "no sub-module encodr"),
    ],
)
def test_a_broken_law_is_found(put: Callable[[type], None], method: type, law: str, said: str) -> None:
    put(Sound)
    assert LAWS[law](builder("betavae")) == ""
    put(method)
    with pytest.raises(BrokenLawError, match=said):
        LAWS[law](builder("betavae"))


def test_all_laws_are_tried_though_one_is_broken(put: Callable[[type], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAWS, "two processes agree", lambda build: "")  # another process does not know this class
    put(Noisy)
    results = {result.law: result.why for result in check_method("betavae")}
    assert results.keys() == LAWS.keys()
    assert {law for law, why in results.items() if why} >= {"encoding is deterministic"}
    assert results["players cover the parameters"] == ""


def test_two_processes_that_do_not_end_break_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "PROCESSES_SECONDS", 0.05)
    with pytest.raises(BrokenLawError, match="had not ended"):
        contract.two_processes_agree(builder("betavae", size=16))
