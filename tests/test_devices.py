"""Accelerators of any maker, with torch's functions replaced: none of this has met the hardware."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from unweave import devices
from unweave.training import memory
from unweave.training.state import random_states, set_random_states


class FakeModule(SimpleNamespace):
    """torch.xpu or torch.mps, with two devices (one of Apple's), a generator of each, and a memory of 8 GB."""

    def __init__(self, kind: str) -> None:
        names = ["mps"] if kind == "mps" else ["xpu:0", "xpu:1"]
        self.states = {name: torch.tensor([i], dtype=torch.uint8) for i, name in enumerate(names)}
        self.emptied = self.waited = 0

    def device_count(self) -> int:
        return len(self.states)

    def get_rng_state(self, device: str) -> torch.Tensor:
        return self.states[device].clone()

    def set_rng_state(self, state: torch.Tensor, device: str) -> None:
        self.states[device] = state

    def empty_cache(self) -> None:
        self.emptied += 1

    def mem_get_info(self, device: torch.device) -> tuple[int, int]:
        return 6_000_000_000, 8_000_000_000

    def recommended_max_memory(self) -> int:
        return 5_000_000_000

    def driver_allocated_memory(self) -> int:
        return 1_000_000_000

    def get_device_name(self, device: torch.device) -> str:
        return "Arc"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], FakeModule]:
    def install(kind: str) -> FakeModule:
        module = FakeModule(kind)
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(kind))
        monkeypatch.setattr(torch.accelerator, "synchronize", lambda: setattr(module, "waited", module.waited + 1))
        monkeypatch.setattr(torch, "get_device_module", lambda kind: module)
        return module

    return install


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_the_accelerator_is_chosen_whoever_made_it(kind: str, fake: Callable[[str], FakeModule]) -> None:
    fake(kind)
    assert devices.best_device() == torch.device(kind)


def test_without_an_accelerator_it_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert devices.best_device() == torch.device("cpu")
    assert devices.random_states() == {}
    assert devices.free_bytes(torch.device("cpu")) is None
    devices.synchronize()


def test_only_work_of_an_accelerator_is_waited_for(fake: Callable[[str], FakeModule]) -> None:
    module = fake("mps")
    devices.synchronize(torch.device("cpu"))
    assert module.waited == 0
    devices.synchronize(torch.device("mps"))
    devices.synchronize()
    assert module.waited == 2


@pytest.mark.parametrize(("kind", "names"), [("xpu", ["xpu0", "xpu1"]), ("mps", ["mps0"])])
def test_the_states_of_every_generator_go_into_a_checkpoint_and_back(
    kind: str, names: list[str], fake: Callable[[str], FakeModule]
) -> None:
    module, rng = fake(kind), torch.Generator().manual_seed(0)
    states = random_states(rng)
    assert set(states) == {"objective", "torch", *names}
    before = dict(module.states)
    module.states = {name: state + 7 for name, state in before.items()}
    set_random_states(states, rng)
    assert all(torch.equal(module.states[name], state) for name, state in before.items())
    set_random_states({name: states[name] for name in ("objective", "torch")}, rng)  # of a machine without


def test_what_is_drawn_inside_is_forgotten(fake: Callable[[str], FakeModule]) -> None:
    module = fake("mps")
    before = torch.get_rng_state()
    with devices.random_states_kept():
        torch.rand(3)
        module.states["mps"] += 1
    assert torch.equal(torch.get_rng_state(), before)
    assert module.states["mps"].item() == 0


def test_free_memory_is_that_of_the_accelerator(fake: Callable[[str], FakeModule]) -> None:
    module = fake("xpu")
    assert memory.available(torch.device("xpu")) == 6_000_000_000
    assert module.emptied == 1
    fake("mps")
    assert memory.available(torch.device("mps")) == 4_000_000_000


def test_an_accelerator_has_a_name(fake: Callable[[str], FakeModule]) -> None:
    fake("xpu")
    assert devices.accelerator_name(torch.device("xpu")) == "Arc"
    fake("mps")
    assert devices.accelerator_name(torch.device("mps")) == "an accelerator (mps)"


@pytest.mark.usefixtures("untyped")
def test_float64_is_for_devices_that_have_it() -> None:
    assert devices.double(torch.zeros(1)).dtype == torch.float64
    apples = SimpleNamespace(device=torch.device("mps"), float=lambda: "float32")
    assert devices.double(apples) == "float32"  # type: ignore[arg-type]
