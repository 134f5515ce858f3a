"""Two processes compute what one does; whole trainings are in tests/test_several.py."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as distributed
from torch import Tensor, nn

from unweave.methods.barlowtwins import cross_correlation, invariance, redundancy
from unweave.methods.byol import regression
from unweave.methods.simclr import nt_xent
from unweave.methods.wmse import distance, whiten
from unweave.models.gathered import BatchNorm, gather, processes, rank

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "byol": regression,  # of a process's own images: the mean of both is that of all
    "simclr": lambda a, b: nt_xent(gather(a), gather(b), 0.5),
    "barlowtwins": lambda a, b: barlow(cross_correlation(gather(a), gather(b))),
    "wmse": lambda a, b: distance(whiten(gather(a)), whiten(gather(b))),
}


def barlow(C: Tensor) -> Tensor:
    return invariance(C) + 0.1 * redundancy(C)


def gradients(share: tuple[int, int]) -> dict[str, np.ndarray]:
    """The gradient of each loss on this process's share of 16 pairs of rows, and what batch normalisation stores."""
    process, count = share
    own, found = slice(process * 16 // count, (process + 1) * 16 // count), {}
    for name, loss in LOSSES.items():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(5, 6, bias=False), BatchNorm(6), nn.ReLU(), nn.Linear(6, 4))
        rows = torch.randn(2, 16, 5)
        loss(network(rows[0, own]), network(rows[1, own])).backward()
        found |= {f"{name} {key}": weight.grad.numpy() for key, weight in network.named_parameters()}
        found |= {f"{name} {key}": buffer.numpy() for key, buffer in network.named_buffers()}
    return found


def work(process: int, place: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{place / 'rendezvous'}", rank=process, world_size=2)
    assert (processes(), rank()) == (2, process)
    np.savez(place / f"{process}.npz", **gradients((process, 2)))
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.long
def test_two_processes_give_the_gradient_and_the_statistics_of_one(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    program = "import sys; from pathlib import Path; from tests.models.test_gathered import work; "
    program += "work(int(sys.argv[1]), Path(sys.argv[2]))"
    command = [sys.executable, "-c", program]
    children = [subprocess.Popen([*command, str(i), str(tmp_path)], env=environment) for i in range(2)]
    assert [child.wait(120) for child in children] == [0, 0]
    both, whole = [np.load(tmp_path / f"{i}.npz") for i in range(2)], gradients((0, 1))
    assert len(whole) == 4 * 7
    for name, expected in whole.items():
        mean = (both[0][name] + both[1][name]) / 2  # what Accelerate makes of gradients; statistics are equal
        np.testing.assert_allclose(mean, expected, atol=1e-5 * max(1.0, np.abs(expected).max()), err_msg=name)


def test_one_process_gathers_what_it_has() -> None:
    rows = torch.ones(3, 2)
    assert gather(rows) is rows
    assert (processes(), rank()) == (1, 0)


def test_it_is_batch_normalisation() -> None:
    own, theirs = BatchNorm(4), nn.BatchNorm1d(4)
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)) * 3 + 1
    torch.testing.assert_close(own(x), theirs(x))
    torch.testing.assert_close(own.running_var, theirs.running_var)
    torch.testing.assert_close(own.eval()(x), theirs.eval()(x))
