"""training.processes: several processes of a few threads train one run, and this one waits for them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from unweave import progress
from unweave.runs import ledger
from unweave.runs.run import Run
from unweave.training.experiment import Experiment
from unweave.training.signals import on_signal


def are_asked(experiment: Experiment) -> bool:
    """Whether this process shall start others; one of several, whoever started it, shall not."""
    return experiment.settings.training.processes > 1 and "WORLD_SIZE" not in os.environ


def train_in_processes(experiment: Experiment, *, convert: bool = False) -> Run:
    """Make the run directory, and train it by `torchrun` on this machine, as docs/architecture.md says it by hand.

    Foundations must be there. Raises KeyboardInterrupt where the processes were interrupted, RuntimeError where they
    failed; what went wrong they have said on stderr. A SIGTERM to this process ends all of them, and it by SystemExit.
    """
    run, training = experiment.make_run_dir(), experiment.settings.training
    shares = max(1, torch.get_num_threads() // training.processes)
    threads = shares if training.threads == "auto" else training.threads
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={training.processes}"),
        *("-m", "unweave", "train", str(run.path.resolve()), "--resume", "--json"),  # its stdout goes nowhere
        *(["--convert"] if convert else []),
        *(["--quiet"] if progress.is_silent() else []),
    ]
    environment = {**os.environ, **ledger.consent(run.path), "OMP_NUM_THREADS": str(threads)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    with _termination_ends(child):
        try:
            status = child.wait()
        except KeyboardInterrupt:  # a terminal sends it to all of them
            child.wait()
            raise
    if status:
        raise RuntimeError(
            f"the {training.processes} processes of {run.path} ended with exit status {status}: see what they said."
        )
    return Run(run.path)


@contextmanager
def _termination_ends(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGTERM inside the `with` ends the child, and then this process."""
    asked = []

    def end() -> None:
        asked.append(child)
        child.terminate()  # torchrun passes it on to its processes

    with on_signal(signal.SIGTERM, end):
        yield
    if asked:
        raise SystemExit(128 + signal.SIGTERM)
