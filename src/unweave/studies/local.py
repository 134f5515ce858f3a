"""The backend `local`: as many processes as pay, one core each, which do the jobs of a study in their order."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from select import select

import psutil
import torch

from unweave.studies.job_order import JobOrder
from unweave.studies.jobs import Job
from unweave.studies.watcher import TICK, StudyWatcher
from unweave.studies.worker import JobProcess
from unweave.threads import usable_cores
from unweave.training.signals import on_signal

MEMORY = 1.5e9
"""Bytes that a process is thought to need; a machine with less for each of its cores has fewer processes."""


def process_count(jobs: int, threads: int = 1) -> int:
    """How many processes pay: one for each core (or `threads` of them) that has memory, no more than jobs.

    With an accelerator it is one, which has the accelerator for itself.
    """
    if torch.accelerator.is_available():
        return 1
    cores = usable_cores()
    room = int(psutil.virtual_memory().available / MEMORY)
    return max(1, min(jobs, cores // threads, room))


def run_jobs(jobs: Sequence[Job], processes: int, watcher: StudyWatcher, threads: int = 1) -> None:
    """Do all jobs, each after those that it needs. One that fails takes with it those that need it, and no other.

    SIGINT and SIGTERM let every process end its step and save; then KeyboardInterrupt or SystemExit is raised.
    """
    order = JobOrder(jobs)
    workers = [JobProcess(threads) for _ in range(processes)]
    try:
        with termination_raises():
            while order.pending or any(worker.job for worker in workers):
                for worker in workers:
                    job = order.take() if worker.job is None else None
                    if job is not None:
                        watcher.begin(job)
                        worker.begin(job)
                busy = {worker.answers.fileno(): worker for worker in workers if worker.job is not None}
                for answers in select(list(busy), [], [], TICK)[0]:
                    worker = busy[answers]
                    job, why = worker.job, worker.end()
                    if job is None or why is None:
                        continue
                    watcher.end(job, why)
                    for lost, reason in order.end(job, why):
                        watcher.end(lost, reason)
                    if why:  # what it was at may have left something behind
                        worker.close()
                        workers[workers.index(worker)] = JobProcess(threads)
                watcher.look([worker.job for worker in workers if worker.job is not None])
    except (KeyboardInterrupt, SystemExit):
        for worker in workers:
            worker.interrupt()
        for worker in workers:
            worker.wait()
        raise
    finally:
        for worker in workers:
            worker.close()


@contextmanager
def termination_raises() -> Iterator[None]:
    """SIGTERM inside the `with` raises SystemExit, so that processes are told."""
    with on_signal(signal.SIGTERM, lambda: sys.exit(128 + signal.SIGTERM)):
        yield
