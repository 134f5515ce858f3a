import torch
from accelerate import Accelerator
from torch import nn

from unweave.method import Batch, Loss, Player
from unweave.runs.settings import TrainingSettings
from unweave.training import loop
from unweave.training.soap import Soap


class Mean(nn.Module):
    """|| w - x ||², whose gradient steps are known."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        error = (self.w - batch.images.mean()).square().sum()
        return Loss(error, {"error": error})


def feed(count: int) -> list[Batch]:
    return [Batch(torch.ones(2, 1, 1, 1), torch.arange(2), 2 * i) for i in range(count)]


def test_players_step_in_turn_and_terms_are_named_after_them() -> None:
    settings = TrainingSettings(images=8, rate=0.1, rates={"second": 0.2}, precision="float32", weight_decay=0.0)
    calls: list[str] = []
    first, second = Mean(), Mean()
    players = [
        Player("first", first, list(first.parameters()), lambda: calls.append("first")),
        Player("second", second, list(second.parameters()), lambda: calls.append("second")),
    ]
    optimisers = loop.optimisers(players, settings)
    steps = list(loop.steps(players, feed(4), optimisers, settings, Accelerator(cpu=True), torch.Generator()))
    assert [step.seen for step in steps] == [2, 4, 6, 8]
    assert set(steps[0].terms) == {"first/error", "second/error"}
    assert not steps[0].terms["first/error"].requires_grad
    assert calls == ["first", "second"] * 4
    torch.testing.assert_close(first.w.detach(), torch.tensor([0.4]), atol=2e-2, rtol=0)  # Adam: steps of the rate
    torch.testing.assert_close(second.w.detach(), torch.tensor([0.8]), atol=4e-2, rtol=0)


def test_the_rate_follows_the_images_seen() -> None:
    settings = TrainingSettings(images=8, rate=0.1, warmup=4, decay="cosine", precision="float32")
    module = Mean()
    players = [Player("mean", module, list(module.parameters()))]
    optimisers = loop.optimisers(players, settings)
    rates = []
    for _ in loop.steps(players, feed(4), optimisers, settings, Accelerator(cpu=True), torch.Generator()):
        rates.append(optimisers["mean"].param_groups[0]["lr"])
    torch.testing.assert_close(torch.tensor(rates), torch.tensor([0.025, 0.075, 0.1, 0.05]))


def test_soap_is_chosen_by_name() -> None:
    module = nn.Linear(3, 4)
    players = [Player("mean", module, list(module.parameters()), betas=(0.5, 0.9))]
    optimiser = loop.optimisers(players, TrainingSettings(optimiser="soap", rate=0.2, weight_decay=0.3))["mean"]
    assert isinstance(optimiser, Soap)
    group = optimiser.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.2, (0.5, 0.9), 0.3)
