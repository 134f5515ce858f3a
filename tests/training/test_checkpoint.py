from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from tests.methods.test_encdiff import quick

from unweave.data import open as data_open
from unweave.training import checkpoint, loop
from unweave.training.batches import batches
from unweave.training.ema import Average

SETTINGS = loop.Settings(images=64, batch=8, rate=1e-3, warmup=16, precision="float32")


def fresh() -> checkpoint.State:
    method = quick()
    players = method.players()
    rng = torch.Generator().manual_seed(3)
    return checkpoint.State(method, players, loop.optimisers(players, SETTINGS), Average(method, 0.99), rng)


def advance(state: checkpoint.State, seen: int, until: int) -> None:
    dataset = data_open.build({"name": "sprites", "size": 16})
    state.method.train()
    stream = batches(dataset, 0, SETTINGS.batch, seen, until, torch.device("cpu"))
    for _ in loop.train(state.players, stream, state.optimisers, SETTINGS, Accelerator(cpu=True), state.rng):
        state.average.step()


def test_a_resumed_run_is_bit_identical_to_one_that_never_stopped(tmp_path: Path) -> None:
    whole, first, second = fresh(), fresh(), fresh()
    advance(whole, 0, 64)
    advance(first, 0, 32)
    saved = checkpoint.save(tmp_path, first, 32, 4, {"seconds": 1.0})
    record = checkpoint.load(saved, second)
    assert (record["seen"], record["steps"], record["seconds"]) == (32, 4, 1.0)
    advance(second, 32, 64)
    for name, tensor in whole.method.state_dict().items():
        assert torch.equal(tensor, second.method.state_dict()[name]), name
    for name, tensor in whole.average.tensors().items():
        assert torch.equal(tensor, second.average.tensors()[name]), name


def test_the_newest_two_are_kept_and_partial_ones_do_not_count(tmp_path: Path) -> None:
    state = fresh()
    for seen in (8, 16, 24):
        checkpoint.save(tmp_path, state, seen, seen // 8, {})
    (tmp_path / ".000000000032.partial").mkdir()
    (tmp_path / "000000000040").mkdir()  # no state.json
    assert [int(path.name) for path in checkpoint.complete(tmp_path)] == [16, 24]


def test_digests_are_those_of_the_files_and_nothing_is_pickled(tmp_path: Path) -> None:
    saved = checkpoint.save(tmp_path, fresh(), 8, 1, {})
    assert sorted(path.suffix for path in saved.iterdir()) == [".json", ".safetensors", ".safetensors", ".safetensors"]
    import json

    record = json.loads((saved / "state.json").read_text())
    for name, digest in record["sha256"].items():
        assert checkpoint.digest(saved / name) == digest


def test_an_interrupted_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = fresh()
    checkpoint.save(tmp_path, state, 8, 1, {})

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(tmp_path, state, 16, 2, {})
    assert [int(path.name) for path in checkpoint.complete(tmp_path)] == [8]
