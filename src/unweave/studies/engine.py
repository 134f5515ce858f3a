"""Jobs that are done elsewhere: what a backend for many machines provides, and the loop that gives it its jobs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from unweave.studies.job_order import JobOrder
from unweave.studies.jobs import Job
from unweave.studies.local import termination_raises
from unweave.studies.watcher import TICK, StudyWatcher


@dataclass(frozen=True)
class ClusterOptions:
    """Where jobs are done, and what each of them takes."""

    address: str | None = None  # of a Ray cluster; this machine if not given
    cpus: float | None = None  # of a job; its threads if not given
    gpus: float | None = None  # of a job; if not given, on Ray one where there are any, on Slurm none
    memory: float = 1.5  # GB of a job
    retries: int = 3  # by Ray, of a job whose process or node was lost
    partition: str | None = None  # of Slurm
    minutes: int = 1_440  # that Slurm gives a job before it is saved and queued again


class Engine(ABC):
    """What does jobs: each goes on from its last checkpoint where it was begun before."""

    @abstractmethod
    def room(self) -> int:
        """How many more jobs it takes now."""

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> None:
        """Take these jobs."""

    @abstractmethod
    def ended(self, seconds: float) -> list[tuple[Job, str]]:
        """The jobs that have ended, "" or why they failed; waits at most so long for one."""

    @abstractmethod
    def stop(self) -> None:
        """The sweep is interrupted: let jobs save, or leave them to their queue."""


def last_line(error: Exception) -> str:
    """The last line of what an error says, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def carry_out(jobs: Sequence[Job], engine: Engine, watcher: StudyWatcher) -> None:
    """Do all jobs, each after those that it needs. One that fails takes with it those that need it, and no other.

    SIGINT and SIGTERM stop the engine; then KeyboardInterrupt or SystemExit is raised.
    """
    order, running = JobOrder(jobs), dict[str, Job]()
    try:
        with termination_raises():
            while order.pending or running:
                taken, room = list[Job](), engine.room()
                while len(taken) < room and (job := order.take()) is not None:
                    taken.append(job)
                    watcher.begin(job)
                if taken:
                    engine.submit(taken)
                    running |= {job.name: job for job in taken}
                for job, why in engine.ended(TICK):
                    del running[job.name]
                    watcher.end(job, why)
                    for lost, reason in order.end(job, why):
                        watcher.end(lost, reason)
                watcher.look(list(running.values()))
    except (KeyboardInterrupt, SystemExit):
        engine.stop()
        raise
