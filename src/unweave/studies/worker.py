"""A process that does the jobs of a study one after the other, on one core, so that it starts once.

The child reads jobs as lines of JSON from stdin and answers each with a line on stdout. A child rather than a pool of
`multiprocessing`, which would run the user's own script again. What is said on the way goes to the log of the job. The
end of its stdin, also by the death of whoever started it, ends the child at once; what it was at goes on from its last
checkpoint the next time.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from unweave import progress
from unweave.studies.jobs import Job, perform
from unweave.threads import LIMITS

COMMAND = [sys.executable, "-P", "-m", "unweave.studies.worker"]
READY = "ready\n"
PATIENCE = 60
"""Seconds that an interrupted child has to save."""


class JobProcess:
    """The parent's end of a child. Close it when it is no longer needed."""

    def __init__(self, threads: int = 1) -> None:
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        limits = dict.fromkeys(LIMITS, str(threads))
        self.child = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that what can be read is known to `select`
            env=os.environ | limits | {"PYTHONPATH": path},
            process_group=0,  # Ctrl-C reaches the parent alone, which tells its children
        )
        self.job: Job | None = None
        self.is_ready = False  # all is imported, so that an interrupt is understood

    @property
    def answers(self) -> IO[bytes]:
        """Has a line when the job has ended, and an end when the child has."""
        assert self.child.stdout is not None
        return self.child.stdout

    def begin(self, job: Job) -> None:
        assert self.child.stdin is not None
        self.job = job
        with suppress(BrokenPipeError):  # a child that is gone gives no answer, which is noticed there
            self.child.stdin.write(json.dumps(job).encode() + b"\n")

    def end(self) -> str | None:
        """Why the job has failed, "" where it has not, None where it goes on; ask when `answers` has something."""
        line = self.answers.readline().decode()
        if line == READY:
            self.is_ready = True
            return None
        self.job = None
        if line.endswith("\n"):
            return str(json.loads(line)["failed"])
        code = self.child.wait()
        by_signal = -code in {number.value for number in signal.Signals}
        ending = f"was ended by {signal.Signals(-code).name}" if by_signal else f"stopped with exit status {code}"
        return f"its process {ending}: perhaps memory ran out."

    def interrupt(self) -> None:
        """Let the step that it is at end and be saved; then, or after `PATIENCE`, the child ends."""
        with suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGINT if self.job is not None and self.is_ready else signal.SIGKILL)

    def wait(self) -> None:
        """Until the child has ended after an interrupt."""
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(PATIENCE)

    def close(self) -> None:
        assert self.child.stdin is not None
        with suppress(BrokenPipeError):
            self.child.stdin.close()
        self.child.wait()
        self.answers.close()


def serve() -> None:
    """The child: do each job that a line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    print(READY, end="", file=answers, flush=True)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    while True:
        job = jobs.get()
        failed = ""
        with said_in(job.log()):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                perform(job)
            except KeyboardInterrupt:
                os._exit(130)
            except BaseException as error:
                traceback.print_exc()
                failed = f"{type(error).__name__}: {error}"
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(json.dumps({"failed": failed}), file=answers, flush=True)


def _listen(jobs: "queue.SimpleQueue[Job]") -> None:
    """Passes jobs on; the end of stdin ends this process."""
    for line in sys.stdin:
        jobs.put(_job(json.loads(line)))
    os._exit(1)


def _job(values: Any) -> Job:
    job = Job(*values)
    return job._replace(needs=tuple(job.needs))


@contextmanager
def said_in(log: Path) -> Iterator[None]:
    """Inside the `with`, what is said on stderr, and how far long work is, goes to the end of this file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    before = os.dup(2)
    with log.open("a") as file:
        os.dup2(file.fileno(), 2)
    try:
        with progress.use(progress.Lines()):
            yield
    finally:
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)


if __name__ == "__main__":
    serve()
