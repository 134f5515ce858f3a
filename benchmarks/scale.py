"""What a study and an encoding cost as they grow by a thousand and a million: constants measured, the rest simulated.

    python benchmarks/scale.py measure            # constants of this machine, in seconds
    python benchmarks/scale.py simulate           # studies with stragglers and failures, through the loop of `sweep`

The simulation replaces the engine alone: jobs are taken, ended and lost by `unweave.studies.engine.carry_out`.
"""

import heapq
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unweave.runs.sharded_codes import AboutCodes, begin_codes, finish_codes, read_codes, sample_positions, write_part
from unweave.studies.engine import Engine, carry_out
from unweave.studies.jobs import Job
from unweave.studies.watcher import StudyWatcher
from unweave.training.batches import rows_at

RUN_SECONDS = 600.0  # of a run on one core
CHECKPOINT = 60.0  # seconds between two checkpoints
STRAGGLERS = (0.02, 4.0)  # one process in fifty is four times slower
NODE_LIFE = 30 * 24 * 3600.0  # seconds until a process is lost, on average


class SimulatedEngine(Engine):
    """So many processes with a clock of their own: some are slow, and all are lost now and then."""

    def __init__(self, processes: int, seed: int = 0) -> None:
        self.rng, self.clock, self.lost = np.random.default_rng(seed), 0.0, 0.0
        share, slower = STRAGGLERS
        self.speed = np.where(self.rng.random(processes) < share, slower, 1.0)
        self.free, self.events = list(range(processes)), list[tuple[float, int, Job]]()

    def room(self) -> int:
        return len(self.free)

    def submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            process = self.free.pop()
            work, seconds = RUN_SECONDS, 0.0
            while (until := self.rng.exponential(NODE_LIFE) / self.speed[process]) < work:
                kept = until - until % CHECKPOINT
                self.lost += until - kept
                work, seconds = work - kept, seconds + until * self.speed[process]
            end = self.clock + seconds + work * self.speed[process]
            heapq.heappush(self.events, (end, process, job))

    def ended(self, seconds: float) -> list[tuple[Job, str]]:
        self.clock, process, job = heapq.heappop(self.events)
        self.free.append(process)
        return [(job, "")]

    def stop(self) -> None:
        """Nothing goes on anywhere."""


def simulate(runs: int, processes: int) -> dict[str, float]:
    """Hours that a study takes, the share of them that is lost, and the seconds that its loop takes here."""
    jobs = [Job(str(number), "run", "betavae", {}, "", (), "") for number in range(runs)]
    engine, began = SimulatedEngine(processes), time.perf_counter()
    carry_out(jobs, engine, StudyWatcher())
    ideal = runs * RUN_SECONDS / processes
    return {
        "runs": runs, "processes": processes, "hours": round(engine.clock / 3600, 2),
        "over ideal": round(engine.clock / ideal, 2), "lost hours of work": round(engine.lost / 3600, 2),
        "loop seconds": round(time.perf_counter() - began, 2),
    }  # fmt: skip


def measure() -> dict[str, float]:
    """Seconds of this machine for what grows with the data, in one thread."""
    with tempfile.TemporaryDirectory() as folder:
        place, rng = Path(folder) / "codes", np.random.default_rng(0)
        about = AboutCodes("r", "raw", {"name": "x"}, "d", 1_000_000, 10_000, (10, 1))
        codes = rng.normal(size=(10_000, 10, 1)).astype(np.float32)
        parts, began = begin_codes(place, about), time.perf_counter()
        for part in parts:
            write_part(place, part, codes, np.array(about.rows_of(part)), {}, {})
        written = time.perf_counter() - began
        whole, began = finish_codes(place, about), time.perf_counter()
        read_codes(place, sample_positions(whole, 50_000, 0))
        read = time.perf_counter() - began
        size = sum(file.stat().st_size for file in place.iterdir())
    order: dict[str, float] = {}
    for count in (10**6, 10**7):
        began = time.perf_counter()
        rows_at(count, 0, 0, 64)
        order[f"first batch of {count:,} rows, one permutation"] = time.perf_counter() - began
    began = time.perf_counter()
    rows_at(10**9, 0, 0, 64, (10_000,) * 100_000)
    order["first batch of 1,000,000,000 rows in 100,000 shards"] = time.perf_counter() - began
    figures = {"write a part of 10,000 codes": written / len(parts), "sample 50,000 codes of 100 parts": read,
               "bytes of a code of ten numbers": size / 1e6, **order,
               "peak memory, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}  # fmt: skip
    return {name: float(f"{value:.3g}") for name, value in figures.items()}


def main() -> None:
    if sys.argv[1:] == ["measure"]:
        print(json.dumps(measure(), indent=2))
    elif sys.argv[1:] == ["simulate"]:
        for runs, processes in (
            (24, 2),
            (24, 24),
            (24_000, 2_000),
            (24_000, 24_000),
            (100_000, 1_000),
            (1_000_000, 1_000),
        ):
            print(json.dumps(simulate(runs, processes)))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
