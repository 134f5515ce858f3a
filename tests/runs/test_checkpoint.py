import errno
import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from tests.methods.test_encdiff import quick

from unweave.data.open import open_data
from unweave.runs import checkpoint
from unweave.runs.settings import TrainingSettings
from unweave.training import loop
from unweave.training import state as state_
from unweave.training.batches import batches
from unweave.training.ema import Average

SETTINGS = TrainingSettings(images=64, batch=8, rate=1e-3, warmup=16, precision="float32")


def fresh(settings: TrainingSettings = SETTINGS) -> state_.TrainingState:
    method = quick()
    players = method.players()
    rng = torch.Generator().manual_seed(3)
    return state_.TrainingState(method, players, loop.optimisers(players, settings), Average(method, 0.99), rng)


def advance(state: state_.TrainingState, seen: int, until: int) -> None:
    dataset = open_data({"name": "sprites", "size": 16})
    state.method.train()
    stream = batches(dataset, 0, SETTINGS.batch, seen, until, torch.device("cpu"))
    for _ in loop.steps(state.players, stream, state.optimisers, SETTINGS, Accelerator(cpu=True), state.rng):
        state.average.step()


@pytest.mark.parametrize("optimiser", ["adamw", "soap"])
def test_a_resumed_run_is_bit_identical_to_one_that_never_stopped(tmp_path: Path, optimiser: str) -> None:
    """Saved after 12 steps of 24: SOAP has turned its basis once, and turns it again."""
    settings = SETTINGS.model_copy(update={"optimiser": optimiser, "images": 192})
    whole, first, second = (fresh(settings) for _ in range(3))
    advance(whole, 0, 192)
    advance(first, 0, 96)
    saved = state_.save_state(tmp_path, first, 96, 12, {"seconds": 1.0})
    record = state_.restore_state(saved, second)
    assert (record["seen"], record["steps"], record["seconds"]) == (96, 12, 1.0)
    advance(second, 96, 192)
    for name, tensor in whole.method.state_dict().items():
        assert torch.equal(tensor, second.method.state_dict()[name]), name
    for name, tensor in whole.average.tensors().items():
        assert torch.equal(tensor, second.average.tensors()[name]), name


def test_the_newest_two_are_kept_and_partial_ones_do_not_count(tmp_path: Path) -> None:
    state = fresh()
    for seen in (8, 16, 24):
        state_.save_state(tmp_path, state, seen, seen // 8, {})
    (tmp_path / ".000000000032.partial").mkdir()
    (tmp_path / "000000000040").mkdir()  # no state.json
    assert [int(path.name) for path in checkpoint.complete(tmp_path)] == [16, 24]


def test_digests_are_those_of_the_files_and_nothing_is_pickled(tmp_path: Path) -> None:
    saved = state_.save_state(tmp_path, fresh(), 8, 1, {})
    assert sorted(path.suffix for path in saved.iterdir()) == [".json", *[".safetensors"] * 4]
    record = json.loads((saved / "state.json").read_text())
    for name, digest in record["sha256"].items():
        assert checkpoint.digest(saved / name) == digest


def test_an_interrupted_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = fresh()
    state_.save_state(tmp_path, state, 8, 1, {})

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match=r"no space.*kept: 000000000008.*Make room"):
        state_.save_state(tmp_path, state, 16, 2, {})
    assert [int(path.name) for path in checkpoint.complete(tmp_path)] == [8]
    assert [path.name for path in tmp_path.iterdir()] == ["000000000008"]


def test_a_folder_that_may_not_be_written_is_not_told_to_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("safetensors.torch.save_file", refuse)
    with pytest.raises(OSError, match=r"See that .* can be written, then go on with --resume"):
        state_.save_state(tmp_path, fresh(), 8, 1, {})


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    state = fresh()
    saved = state_.save_state(tmp_path, state, 8, 1, {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be written .*Make room there") as caught:
            state_.save_state(tmp_path, state, 16, 2, {})
        assert caught.value.errno == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    checkpoint.verified(saved)
    assert [path.name for path in tmp_path.iterdir()] == [saved.name]
    state_.save_state(tmp_path, state, 16, 2, {})


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [cut, flip, Path.unlink])
@pytest.mark.parametrize(
    "name",
    ["weights.safetensors", "average.safetensors", "optimiser.safetensors", "generators.safetensors", "state.json"],
)
def test_damage_is_noticed_and_the_checkpoint_before_is_used(
    tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    state, said = fresh(), []
    first = state_.save_state(tmp_path, state, 8, 1, {})
    second = state_.save_state(tmp_path, state, 16, 2, {})
    assert checkpoint.newest(tmp_path, said.append) == second
    harm(second / name)
    assert checkpoint.newest(tmp_path, said.append) == first
    assert "is damaged" in said[0]
    assert name in said[0]
    with pytest.raises(checkpoint.DamagedError):
        state_.restore_state(second, state)
    checkpoint.set_aside(tmp_path, later_than=first)
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, f"damaged-{second.name}"]


def test_a_torn_folder_does_not_pass_for_a_saved_checkpoint(tmp_path: Path) -> None:
    state = fresh()
    (state_.save_state(tmp_path, state, 8, 1, {}) / "state.json").unlink()
    checkpoint.verified(state_.save_state(tmp_path, state, 8, 1, {}))
    assert (tmp_path / f"damaged-{8:012d}").is_dir()


def test_generators_of_every_process_are_kept_apart(tmp_path: Path) -> None:
    state, other = fresh(), fresh()
    theirs = torch.Generator().manual_seed(99)
    both = [state_.random_states(state.rng), state_.random_states(theirs)]
    saved = state_.save_state(tmp_path, state, 8, 1, {}, both)
    state_.restore_state(saved, other, rank=1)
    assert torch.equal(other.rng.get_state(), theirs.get_state())
    state_.restore_state(saved, other, rank=0)
    assert torch.equal(other.rng.get_state(), state.rng.get_state())
    before = torch.Generator().manual_seed(5)
    state_.restore_state(saved, other._replace(rng=before), rank=2)  # a process that was not there
    assert torch.equal(before.get_state(), torch.Generator().manual_seed(5).get_state())
