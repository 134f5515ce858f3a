"""The backend `ray`: jobs as tasks of a Ray cluster, which places them, and begins one anew whose process or node dies.

A task goes on from the last checkpoint of its run, in the study's directory, which all nodes see. A process does one
job after the other, so it imports once.
"""

import os
import time
import traceback
from collections.abc import Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

from unweave.data.disk_space import FULL_DISK
from unweave.ray_session import (
    check_nodes,
    check_resources,
    is_cluster,
    node_resources,
    places_for,
    ray_session,
    thread_environment,
)
from unweave.studies.engine import ClusterOptions, Engine, carry_out, last_line
from unweave.studies.jobs import Job, perform
from unweave.studies.watcher import StudyWatcher
from unweave.studies.worker import PATIENCE, said_in

ROOM = 1_000
"""Jobs that wait in Ray at most, beside those at work."""


def run_jobs(
    jobs: Sequence[Job], processes: int | None, watcher: StudyWatcher, threads: int, options: ClusterOptions
) -> None:
    """Do all jobs on Ray, `processes` of them at a time (as many as the cluster has room for, if None).

    Raises ImportError without the extra, ConnectionError where the cluster cannot be reached, and ClusterError for
    nodes that lack the package or do not see the study's directory. SIGINT and SIGTERM let every job save.
    """
    per_job = options.cpus or float(threads)
    with ray_session(options.address, cpus=(processes or 0) * per_job) as ray:
        if is_cluster(ray, options.address):
            check_nodes(Path(jobs[0].out))
        carry_out(jobs, RayEngine(ray, processes, threads, options), watcher)


class RayEngine(Engine):
    """The jobs that Ray has, by the reference of their result."""

    def __init__(self, ray: Any, processes: int | None, threads: int, options: ClusterOptions) -> None:
        self.ray, self.processes, self.running = ray, processes, dict[Any, Job]()
        gpus = options.gpus if options.gpus is not None else float(ray.cluster_resources().get("GPU", 0) >= 1)
        self.each = {"CPU": options.cpus or float(threads), "GPU": gpus, "memory": options.memory * 1e9}
        check_resources(self.each, node_resources(ray))
        self.task = ray.remote(
            num_cpus=self.each["CPU"],
            num_gpus=gpus,
            memory=int(self.each["memory"]),
            max_retries=options.retries,
            runtime_env=thread_environment(threads),
        )(do)

    def room(self) -> int:
        places = self.processes or places_for(self.each, node_resources(self.ray))
        return max(0, min(places, ROOM) - len(self.running))

    def submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.running[self.task.options(name=job.name).remote(tuple(job), os.getcwd())] = job

    def ended(self, seconds: float) -> list[tuple[Job, str]]:
        if not self.running:
            time.sleep(seconds)
        ready, _ = self.ray.wait(list(self.running), timeout=seconds)
        return [(self.running.pop(reference), self._answer(reference)) for reference in ready]

    def _answer(self, reference: Any) -> str:
        try:
            return str(self.ray.get(reference))
        except self.ray.exceptions.OutOfMemoryError:
            return "memory ran out on its node: give each job more of it (--memory, in GB)."
        except (self.ray.exceptions.WorkerCrashedError, self.ray.exceptions.NodeDiedError):
            return "its process or node was lost more often than --retries allows: perhaps memory ran out there."
        except Exception as error:
            return f"{type(error).__name__}: {last_line(error)}"

    def stop(self) -> None:
        for reference in self.running:
            self.ray.cancel(reference, force=False)
        with suppress(Exception):
            self.ray.wait(list(self.running), num_returns=len(self.running), timeout=PATIENCE)


def do(values: tuple[Any, ...], folder: str) -> str:
    """In a process of Ray: do a job from this working folder; why it has failed, "" where it has not."""
    job = Job(*values)
    if not Path(folder).is_dir():
        return f"{os.uname().nodename} does not see {folder}: start the sweep in a folder that all nodes share."
    with chdir(folder), said_in(job.log()):
        try:
            perform(job)
        except OSError as error:
            traceback.print_exc()
            return disk_full(error) or f"{type(error).__name__}: {error}"
        except Exception as error:
            traceback.print_exc()
            return f"{type(error).__name__}: {error}"
    return ""


def disk_full(error: OSError) -> str:
    """What to do about a full disk, "" for other errors."""
    if error.errno not in FULL_DISK:
        return ""
    reason = error.__cause__ or error
    return f"a disk of {os.uname().nodename} is full: free some space there, then go on with --retry ({reason})."
