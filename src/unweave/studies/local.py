"""The backend `local`: as many processes as pay, one core each, which do the jobs of a study in their order."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from select import select

import psutil
import torch

from unweave.studies.jobs import Job
from unweave.studies.worker import JobProcess
from unweave.training.signals import on_signal

MEMORY = 1.5e9
"""Bytes that a process is thought to need; a machine with less for each of its cores has fewer processes."""
TICK = 0.5
"""Seconds between two looks at how far jobs are."""


class StudyWatcher:
    """Is told what becomes of jobs. This one does nothing."""

    def begin(self, job: Job) -> None:
        """A process has taken it."""

    def end(self, job: Job, failed: str) -> None:
        """It is done, or has failed for this reason."""

    def look(self, running: Sequence[Job]) -> None:
        """Some time has passed."""


def process_count(jobs: int, threads: int = 1) -> int:
    """How many processes pay: one for each core (or `threads` of them) that has memory, no more than jobs.

    With an accelerator it is one, which has the accelerator for itself.
    """
    if torch.accelerator.is_available():
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = int(psutil.virtual_memory().available / MEMORY)
    return max(1, min(jobs, cores // threads, room))


def run_jobs(jobs: Sequence[Job], processes: int, watcher: StudyWatcher, threads: int = 1) -> None:
    """Do all jobs, each after those that it needs. One that fails takes with it those that need it, and no other.

    SIGINT and SIGTERM let every process end its step and save; then KeyboardInterrupt or SystemExit is raised.
    """
    pending, ended, failed = list(jobs), set[str](), set[str]()
    names = {job.name for job in jobs}
    workers = [JobProcess(threads) for _ in range(processes)]

    def is_ready(job: Job) -> bool:
        return all(name in ended or name not in names for name in job.needs)

    def drop_what_needs_failed() -> None:
        for job in [job for job in pending if failed & set(job.needs)]:
            pending.remove(job)
            failed.add(job.name)
            watcher.end(job, f"what it stands on has failed: {', '.join(sorted(failed & set(job.needs)))}")
            drop_what_needs_failed()
            return

    try:
        with _termination_raises():
            while pending or any(worker.job for worker in workers):
                for worker in workers:
                    job = next((job for job in pending if is_ready(job)), None) if worker.job is None else None
                    if job is not None:
                        pending.remove(job)
                        watcher.begin(job)
                        worker.begin(job)
                busy = {worker.answers.fileno(): worker for worker in workers if worker.job is not None}
                for answers in select(list(busy), [], [], TICK)[0]:
                    worker = busy[answers]
                    job, why = worker.job, worker.end()
                    if job is None or why is None:
                        continue
                    (failed if why else ended).add(job.name)
                    watcher.end(job, why)
                    if why:  # what it was at may have left something behind
                        worker.close()
                        workers[workers.index(worker)] = JobProcess(threads)
                        drop_what_needs_failed()
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
def _termination_raises() -> Iterator[None]:
    """SIGTERM inside the `with` raises SystemExit, so that processes are told."""
    with on_signal(signal.SIGTERM, lambda: sys.exit(128 + signal.SIGTERM)):
        yield
