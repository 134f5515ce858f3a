import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from unweave.studies import worker
from unweave.studies.jobs import Job
from unweave.studies.local import process_count, run_jobs
from unweave.studies.watcher import StudyWatcher

CHILD = """
import json, os, signal, sys, time
print("ready", flush=True)
for line in sys.stdin:
    name = json.loads(line)[0]
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "long":
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            open(os.path.join(json.loads(line)[6], "saved"), "w").close()
            os._exit(130)
    print(json.dumps({"failed": "no good" if name.startswith("bad") else ""}), flush=True)
"""


class Heard(StudyWatcher):
    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: dict[str, str] = {}

    def begin(self, job: Job) -> None:
        self.began.append(job.name)

    def end(self, job: Job, failed: str) -> None:
        self.ended[job.name] = failed


@pytest.fixture(autouse=True)
def child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that does nothing, so that it starts at once."""
    monkeypatch.setattr(worker, "COMMAND", [sys.executable, "-c", CHILD])


def job(name: str, needs: tuple[str, ...] = (), out: str = "") -> Job:
    return Job(name, "run", "betavae", {}, name, needs, out)


def heard(jobs: Sequence[Job], processes: int = 2) -> Heard:
    watcher = Heard()
    run_jobs(jobs, processes, watcher)
    return watcher


def test_every_job_is_done_after_those_that_it_needs() -> None:
    jobs = [job("c", ("b",)), job("b", ("a", "made earlier")), job("a"), *(job(f"x{i}") for i in range(4))]
    watcher = heard(jobs)
    assert watcher.ended == {one.name: "" for one in jobs}
    assert watcher.began.index("a") < watcher.began.index("b") < watcher.began.index("c")


def test_a_failure_takes_what_needs_it_and_no_other() -> None:
    watcher = heard([job("bad"), job("on bad", ("bad",)), job("on that", ("on bad",)), job("good")])
    assert watcher.ended["bad"] == "no good"
    assert watcher.ended["on bad"] == "what it stands on has failed: bad"
    assert watcher.ended["on that"] == "what it stands on has failed: on bad"
    assert watcher.ended["good"] == ""


def test_a_process_that_dies_is_replaced() -> None:
    watcher = heard([job("killed"), job("a"), job("b")], processes=1)
    assert "SIGKILL" in watcher.ended["killed"]
    assert (watcher.ended["a"], watcher.ended["b"]) == ("", "")


def test_an_interrupt_lets_processes_save(tmp_path: Path) -> None:
    class Interrupts(Heard):
        looks = 0

        def look(self, running: Sequence[Job]) -> None:
            self.looks += 1
            if self.looks == 2:  # the child has said that it is there
                threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        run_jobs([job("long", out=str(tmp_path))], 1, Interrupts())
    assert (tmp_path / "saved").exists()


def test_there_are_no_more_processes_than_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert process_count(1) == 1
    assert 1 <= process_count(10**6) <= (os.cpu_count() or 1)
    assert process_count(10**6, threads=10**6) == 1
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    assert process_count(10**6) == 1
