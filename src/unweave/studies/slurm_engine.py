"""The backend `slurm`: jobs as arrays in Slurm's queue, by submitit.

A run whose time is up, or that is preempted with USR2, is saved after its step and queued again; SIGTERM, which a
cancelled or evicted job gets, saves it. Jobs stay in the queue when the sweep is interrupted, and the same command
waits for them again: OUT/slurm/jobs.json says which are there.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unweave import progress
from unweave.files import read_json, write_json
from unweave.studies.engine import ClusterOptions, Engine, carry_out, last_line
from unweave.studies.jobs import Job
from unweave.studies.ray_engine import do
from unweave.studies.watcher import StudyWatcher
from unweave.threads import LIMITS
from unweave.training.signals import held_back, on_signal

LARGEST_ARRAY = 1_000  # jobs in the queue; MaxArraySize of Slurm is 1,001 unless set
TIMEOUTS = 1_000  # times that a run is queued again because its time was up
LOOK_EVERY = 5.0  # seconds between two looks at the queue
LOOKS = 3  # at which a job without a result is not in the queue, before it is given up

logger = logging.getLogger("unweave")


def run_jobs(
    jobs: Sequence[Job], processes: int | None, watcher: StudyWatcher, threads: int, options: ClusterOptions
) -> None:
    """Do all jobs on Slurm, `processes` of them at a time (as many as it likes, if None).

    Raises ImportError without the extra, FileNotFoundError where there is no Slurm. SIGINT and SIGTERM leave the jobs
    in the queue.
    """
    folder = Path(jobs[0].out).resolve() / "slurm"
    executor = open_executor(folder, processes, threads, options)
    carry_out(jobs, SlurmEngine(executor, folder, processes), watcher)


def open_executor(folder: Path, processes: int | None, threads: int, options: ClusterOptions) -> Any:
    """What submits jobs. Raises ImportError without the extra, FileNotFoundError where there is no Slurm."""
    try:
        import submitit
    except ImportError:
        raise ImportError("this needs submitit: pip install 'unweave[slurm]'.") from None
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise FileNotFoundError("there is no sbatch on this machine: run this where Slurm's jobs are submitted.")
    executor = submitit.AutoExecutor(folder / "log", cluster="slurm", slurm_max_num_timeout=TIMEOUTS)
    cpus = max(1, round(options.cpus or threads))
    parameters: dict[str, Any] = {
        "name": folder.parent.name,
        "timeout_min": options.minutes,
        "cpus_per_task": cpus,
        "mem_gb": options.memory,
        "slurm_array_parallelism": processes or LARGEST_ARRAY,
        "slurm_setup": [f"export {name}={threads}" for name in LIMITS],
        "slurm_additional_parameters": {"requeue": True},
    }
    if options.gpus:
        parameters["gpus_per_node"] = max(1, round(options.gpus))
    if options.partition:
        parameters["slurm_partition"] = options.partition
    executor.update_parameters(**parameters)
    return executor


class SlurmEngine(Engine):
    """The jobs that are in the queue."""

    def __init__(self, executor: Any, folder: Path, processes: int | None) -> None:
        self.executor, self.record, self.processes = executor, folder / "jobs.json", processes
        stored = read_json(self.record) if self.record.is_file() else {}
        queued = queued_jobs() if stored else set()
        self.earlier = {name: str(number) for name, number in stored.items() if str(number) in queued}
        self.running: dict[str, tuple[Job, Any]] = {}
        self.absent: dict[str, int] = {}  # looks at which a job was not in the queue
        self.looked = time.monotonic()

    def room(self) -> int:
        """Of the first array Slurm itself does no more than `processes` at a time; later ones fill what it leaves."""
        most = LARGEST_ARRAY
        if self.processes and self.running:
            most = self.processes
        elif self.processes and self.earlier:
            most = max(self.processes, len(self.earlier))
        return max(0, min(most, LARGEST_ARRAY) - len(self.running))

    def submit(self, jobs: Sequence[Job]) -> None:
        from submitit import SlurmJob

        new = [job for job in jobs if job.name not in self.earlier]
        for job in jobs:
            if job.name in self.earlier:
                self.running[job.name] = (job, SlurmJob(self.executor.folder, self.earlier.pop(job.name)))
        with held_back(signal.SIGINT, signal.SIGTERM):  # or jobs would be in the queue that nobody knows
            if new:
                try:
                    submitted = self.executor.map_array(SlurmTask(os.getcwd()), [tuple(job) for job in new])
                except Exception as error:  # of submitit, with all that sbatch said
                    raise OSError(f"Slurm has not taken the jobs: {last_line(error)}") from error
                self.running |= {job.name: (job, each) for job, each in zip(new, submitted)}
            self._write_record()

    def ended(self, seconds: float) -> list[tuple[Job, str]]:
        time.sleep(seconds)
        ended = [(job, answer_of(each)) for job, each in self.running.values() if each.paths.result_pickle.is_file()]
        if time.monotonic() - self.looked > LOOK_EVERY:
            ended += self._lost({job.name for job, _ in ended})
            self.looked = time.monotonic()
        for job, _ in ended:
            del self.running[job.name]
        if ended:
            self._write_record()
        return ended

    def stop(self) -> None:
        if self.running:
            ids = sorted({str(each.job_id).split("_")[0] for _, each in self.running.values()})
            progress.message(
                f"{len(self.running)} runs stay in Slurm's queue: the same command waits for them again, and "
                f"`scancel {' '.join(ids)}` ends them."
            )

    def _lost(self, ended: set[str]) -> list[tuple[Job, str]]:
        """The jobs that have left the queue without a result."""
        try:
            queued, lost = queued_jobs(), list[tuple[Job, str]]()
        except OSError as error:  # this time; jobs go on without it
            logger.warning("%s", error)
            return []
        for name, (job, each) in self.running.items():
            self.absent[name] = 0 if str(each.job_id) in queued else self.absent.get(name, 0) + 1
            if self.absent[name] >= LOOKS and name not in ended and not each.paths.result_pickle.is_file():
                lost.append((job, "it left Slurm's queue without a result: cancelled, or its node was lost."))
        return lost

    def _write_record(self) -> None:
        running = {name: str(each.job_id) for name, (_, each) in self.running.items()}
        write_json(self.record, {**self.earlier, **running})


class SlurmTask:
    """A job inside Slurm, which submitit calls there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, values: tuple[Any, ...]) -> str:
        """Do the job; why it has failed, "" where it has not."""
        queue_again: Any = signal.getsignal(signal.SIGUSR2)  # submitit's, which writes the job down and asks Slurm
        asked: list[bool] = []

        def save_and_queue() -> None:
            asked.append(True)
            signal.raise_signal(signal.SIGTERM)  # whoever has it now: the trainer saves after its step

        with (
            on_signal(signal.SIGUSR2, save_and_queue),
            on_signal(signal.SIGTERM, lambda: sys.exit(128 + signal.SIGTERM)),
        ):
            try:
                return do(values, self.folder)
            except SystemExit:
                if not asked:
                    raise
        queue_again(signal.SIGUSR2, None)
        return "Slurm was asked to queue it again, and has not."

    def checkpoint(self, values: tuple[Any, ...]) -> Any:
        """What is queued again: the same, which goes on from the run's last checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, values)


def queued_jobs() -> set[str]:
    """The jobs of this user in the queue, waiting or at work, arrays task by task."""
    words = ["squeue", "--noheader", "--array", "--me", "--format", "%i"]
    answer = subprocess.run(words, capture_output=True, text=True)
    if answer.returncode:
        raise OSError(f"Slurm does not answer: {answer.stderr.strip() or 'squeue failed'}; jobs go on without this.")
    return set(answer.stdout.split())


def answer_of(submitted: Any) -> str:
    """Why a job that has left a result has failed, "" where it has not."""
    try:
        return str(submitted.result())
    except Exception as error:
        return last_line(error)
