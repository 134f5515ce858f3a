"""Who writes to a run: one training at a time, and one writer of names, scores and reports. Readers never lock.

The locks are the kernel's, so a process that is killed holds none. `.training.json` beside the lock says which process
on which host trains.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from unweave.files import read_json, write_json

LOCK, HOLDER = ".training.lock", ".training.json"
PATIENCE = 60.0  # seconds that a writer of small files waits for another


class BusyError(OSError):
    """A run that another process is training, or writing to."""


class TrainingLock:
    """The right to write the training state of a run, from now until `release`.

    Raises BusyError, which names process and host, where another training has it.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir, self.lock = run_dir, FileLock(run_dir / LOCK)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(
                f"{run_dir} is being trained by {_holder(run_dir)}: wait for it or stop it, or choose another --run."
            ) from None
        write_json(run_dir / HOLDER, {"process": os.getpid(), "host": socket.gethostname()})

    def release(self) -> None:
        """Let others train it; a second call does nothing."""
        if self.lock.is_locked:
            with suppress(OSError):
                (self.run_dir / HOLDER).unlink(missing_ok=True)
            self.lock.release()


def check_not_training(run_dir: Path) -> None:
    """Raises BusyError where another process trains this run now."""
    if (run_dir / LOCK).is_file():
        TrainingLock(run_dir).release()


@contextmanager
def one_writer(run_dir: Path) -> Iterator[None]:
    """Inside the `with` no other process writes names, scores or reports of this run; the next one waits.

    A folder that cannot be written to is not locked: what is written there says so itself. Raises BusyError after a
    minute.
    """
    lock = FileLock(run_dir / ".writing.lock")
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise BusyError(
            f"another process has been writing to {run_dir} for a minute: stop it, and try again."
        ) from None
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _holder(run_dir: Path) -> str:
    try:
        holder = read_json(run_dir / HOLDER)
        return f"process {int(holder['process'])} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just being written
        return "another process"
