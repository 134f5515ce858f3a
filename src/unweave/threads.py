"""How many threads torch computes with, and how they wait for each other: for machines that are not ours alone.

At the end of every parallel piece the threads wait for the last one. Where another program has taken its core, libgomp
lets the others turn round in place for milliseconds, and all cores are busy with waiting: two threads then compute less
than one. So they go to sleep early (`sleep_at_barriers`), and where one thread is the faster one, it is taken.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

SPINS = "10000"
"""Turns that a waiting thread takes before it sleeps, a fraction of a millisecond; libgomp's own number is 300,000.

With none at all (OMP_WAIT_POLICY=PASSIVE) two threads that have the machine for themselves lose nearly half of their
rate: benchmarks/busy_machine.py.
"""
BLAS_SPINS = "10"
"""The binary logarithm of the turns that a waiting thread of OpenBLAS takes, in processor cycles; its own number is 26.

On a machine that others use as well, a small matrix is factorised 30 times as fast.
"""
CHOSEN = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Variables by which a person may have said it already."""
LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
"""Variables by which libraries of a new process are told how many threads, or processes of their own, they may have."""
SECONDS = 0.2
"""For how long each number of threads is timed, at least one piece of work."""


def sleep_at_barriers() -> None:
    """Threads of torch and of OpenBLAS go to sleep early where they wait: for this process and those that it starts.

    Call it before torch is imported, which reads it once, as NumPy does; what GOMP_SPINCOUNT, OMP_WAIT_POLICY or
    OPENBLAS_THREAD_TIMEOUT say already stays. Raises RuntimeError where torch is there and none of its two was set.
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", BLAS_SPINS)
    if any(name in os.environ for name in CHOSEN):
        return
    if "torch" in sys.modules:
        raise RuntimeError(
            "torch is imported already, and it reads only then how its threads wait: call "
            f"unweave.sleep_at_barriers() before, or set {CHOSEN[0]}={SPINS} in the environment."
        )
    os.environ[CHOSEN[0]] = SPINS


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def time_threads(work: Callable[[], object], counts: Sequence[int], seconds: float = SECONDS) -> dict[int, float]:
    """The seconds that a piece of work takes with each number of threads, their mean over at least `seconds`.

    The numbers take turns, so that a machine that changes does so for all of them. Torch keeps its number of threads.
    """
    import torch

    before = torch.get_num_threads()
    spent, times = dict.fromkeys(counts, 0.0), 0
    try:
        work()  # the first one warms up
        while min(spent.values()) < seconds:
            for count in counts:
                torch.set_num_threads(count)
                began = time.perf_counter()
                work()
                spent[count] += time.perf_counter() - began
            times += 1
    finally:
        torch.set_num_threads(before)
    return {count: total / times for count, total in spent.items()}


class Threads:
    """One thread or all that torch had when this was made, whichever is the faster just now.

    What is timed is `work`, a small convolutional network where none is given, a fifth of a second for each of the two.
    """

    def __init__(self, every: float = 0.0, work: Callable[[], object] | None = None) -> None:
        import torch

        self.count = self.most = torch.get_num_threads()
        self.every, self.timed, self.work = every, float("-inf"), work

    def choose(self) -> None:
        """Torch computes with the faster number from now on, in this thread; timed again after `every` seconds."""
        import torch

        if self.most > 1 and time.monotonic() - self.timed >= self.every:
            seconds = time_threads(self.work or _small_network(), (1, self.most))
            self.count = min(self.most, 1, key=lambda count: seconds[count])
            self.timed = time.monotonic()
        torch.set_num_threads(self.count)


@contextmanager
def chosen() -> Iterator[int]:
    """Inside the `with` torch computes with the faster of one thread and all, after it with as many as before."""
    threads = Threads()
    try:
        threads.choose()
        yield threads.count
    finally:
        import torch

        torch.set_num_threads(threads.most)


def _small_network() -> Callable[[], object]:
    """A piece of work like ours, some milliseconds long."""
    import torch
    from torch import nn

    rng = torch.Generator().manual_seed(0)
    images = torch.randn(16, 64, 16, 16, generator=rng)
    weight = torch.randn(64, 64, 3, 3, generator=rng) / 24

    def work() -> None:
        x = images
        with torch.inference_mode():
            for _ in range(4):
                x = nn.functional.silu(nn.functional.group_norm(nn.functional.conv2d(x, weight, padding=1), 16))

    return work
