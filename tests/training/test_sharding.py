"""Codes of images that are split over processes: what one process computes, and checkpoints that any number opens."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as distributed
from accelerate import Accelerator
from tests.methods.test_csdismo import build
from torch.nn.parallel import DistributedDataParallel

from unweave.config import SettingsError
from unweave.method import Batch
from unweave.models import row_shards
from unweave.runs import checkpoint
from unweave.runs.settings import TrainingSettings
from unweave.training import loop, sharding
from unweave.training.ema import Average
from unweave.training.state import TrainingState, restore_state, state_tensors

ROWS = 30
SETTINGS = TrainingSettings(images=64, batch=16, rate=0.05, precision="float32", optimiser="sgd", momentum=0.9)


def method():
    """C-S DisMo without what is drawn or estimated in each process by itself."""
    return build(content_noise=0, style_noise=0, distribution=0, discrimination=0)


def halves(process: int, count: int) -> list[Batch]:
    """Four batches of 16, of which each process has its part."""
    images = torch.rand(4, 16, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rows = torch.arange(64).view(4, 16) % ROWS
    rows[:, 1] = rows[:, -1]  # an image that both processes have
    part = slice(process * 16 // count, (process + 1) * 16 // count)
    return [Batch(images[step][part], rows[step][part], 16 * step, 64) for step in range(4)]


def trained(place: Path, process: int, count: int) -> None:
    """Four steps, with a checkpoint of two processes after the second one, from which another method goes on."""
    accelerator = Accelerator(cpu=True)
    for name in ("first", "second"):
        made = method()
        sharding.shard_tables(made, SETTINGS)
        assert len(made.table) == ROWS // count
        players = [player._replace(module=accelerator.prepare(player.module)) for player in made.players()]
        assert isinstance(players[0].module, DistributedDataParallel) == (count > 1)
        optimisers, rng = loop.optimisers(players, SETTINGS), torch.Generator()
        state = TrainingState(made, players, optimisers, Average(made, 0.0), rng)
        batches = halves(process, count)
        if name == "second":
            restore_state(place / f"{32:012d}", state, process)
            batches = batches[2:]
        for number, _ in enumerate(loop.steps(players, batches, optimisers, SETTINGS, accelerator, rng), 1):
            if name == "first" and number == 2:
                tensors = state_tensors(state)
                if (process, count) == (0, 2):
                    checkpoint.save(place, tensors, 32, 2, {"seconds": 0.0})
                accelerator.wait_for_everyone()
        tensors = state_tensors(state)
        weights = {**tensors["weights"], **tensors["optimiser"]}
        np.savez(place / f"{name}-{process}-of-{count}.npz", **{key: value.numpy() for key, value in weights.items()})


def work(process: int, place: Path) -> None:
    environment = {"RANK": process, "LOCAL_RANK": process, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1"}
    os.environ.update({name: str(value) for name, value in environment.items()})
    distributed.init_process_group("gloo", init_method=f"file://{place / 'rendezvous'}", rank=process, world_size=2)
    trained(place, process, 2)
    with pytest.raises(SettingsError, match=r"without training\.clip"):
        sharding.shard_tables(method(), SETTINGS.model_copy(update={"clip": 1.0}))
    small = torch.arange(3.0)[:, None]
    assert row_shards.own_rows(3) == (slice(0, 1), slice(1, 3))[process]
    assert torch.equal(row_shards.whole(small[row_shards.own_rows(3)], 3), small)
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.long
def test_two_processes_with_half_of_the_codes_each_end_where_one_does(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    program = "import sys; from pathlib import Path; from tests.training.test_sharding import work; "
    program += "work(int(sys.argv[1]), Path(sys.argv[2]))"
    command = [sys.executable, "-c", program]
    children = [subprocess.Popen([*command, str(i), str(tmp_path)], env=environment) for i in range(2)]
    assert [child.wait(120) for child in children] == [0, 0]
    trained(tmp_path, 0, 1)
    began = method().table.detach().numpy()
    one = np.load(tmp_path / "first-0-of-1.npz")
    assert np.abs(one["table"] - began).max(1).min() > 1e-5, "every code has moved"
    assert one["csdismo/table/momentum_buffer"].shape == (ROWS, 9)
    others = ("first-0-of-2", "first-1-of-2", "second-0-of-2", "second-1-of-2", "second-0-of-1")
    for name in others:  # the last one is one process that goes on where two were
        found = np.load(tmp_path / f"{name}.npz")
        assert set(found) == set(one)
        for key in one:
            np.testing.assert_allclose(found[key], one[key], atol=1e-5, err_msg=f"{name} {key}")


def test_one_process_keeps_its_table_whole() -> None:
    made = method()
    table = made.table
    sharding.shard_tables(made, SETTINGS.model_copy(update={"clip": 1.0}))
    assert made.table is table
    index = torch.tensor([3, 0, 3])
    assert torch.equal(row_shards.lookup(table, ROWS, index), table[index])
    mean, deviation = row_shards.mean_and_deviation(table, ROWS)
    torch.testing.assert_close(mean, table.detach().mean(0))
    torch.testing.assert_close(deviation, table.detach().std(0, correction=0))
    assert (
        sharding.whole_tensors(made, {"table": table}) == sharding.own_part(made, {"table": table}) == {"table": table}
    )
