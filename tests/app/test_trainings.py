import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from unweave.app import trainings as module
from unweave.app.trainings import Trainings, seconds_left, training_of
from unweave.files import write_json

LEARN = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print(json.dumps({"time": 1, "message": "run: runs/encdiff-a"}), file=sys.stderr, flush=True)
for done in range(600):
    line = {"time": time.time(), "task": "training", "done": done, "total": 600, "note": "loss 1"}
    print(json.dumps(line), file=sys.stderr, flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """Whose processes run LEARN in place of the command."""
    (tmp_path / "learn.py").write_text(LEARN)
    (tmp_path / "python").write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path}/learn.py\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return Trainings(tmp_path / "studio")


def wait_for(trainings: Trainings, name: str, what: Any) -> module.Training:
    import time

    for _ in range(400):
        if what(training := trainings.look(name)):
            return training
        time.sleep(0.02)
    raise AssertionError(training)


def test_a_training_is_paused_and_goes_on(trainings: Trainings, tmp_path: Path) -> None:
    name = trainings.start(tmp_path / "a.zip")
    going = wait_for(trainings, name, lambda t: t.done > 0)
    assert (name, going.state, going.task, going.run) == ("a", "running", "training", Path("runs/encdiff-a"))
    with pytest.raises(BlockingIOError, match="pause it first"):
        trainings.start(tmp_path / "b.zip")
    trainings.pause(name)
    assert wait_for(trainings, name, lambda t: t.state != "pausing").state == "paused"
    trainings.go_on(name)
    assert trainings.look(name).state == "running"
    trainings.close()
    assert Trainings(trainings.folder).look(name).state == "paused"  # what another server sees
    assert trainings.look(name).can_go_on


def store(trainings: Trainings, name: str, stored: Any) -> None:
    (trainings.folder / name).mkdir(parents=True, exist_ok=True)
    write_json(trainings.folder / name / "training.json", stored)


def test_one_whose_server_was_killed_is_not_lost(trainings: Trainings) -> None:
    stored = {"data": "a", "words": [], "state": "running", "process": os.getpid()}
    store(trainings, "a", {**stored, "began": module.start_of(os.getpid())})
    assert trainings.look("a").state == "elsewhere"
    store(trainings, "a", {**stored, "process": 2**22 + 1})
    assert trainings.look("a").state == "paused"


def test_a_number_that_another_process_has_by_now_is_left_alone(trainings: Trainings) -> None:
    stored = {"data": "a", "state": "running", "process": os.getpid(), "began": module.start_of(os.getpid()) - 3600}
    store(trainings, "a", stored)
    trainings.pause("a")  # or this test would end here
    assert trainings.look("a").state == "paused"
    trainings.forget("a")
    assert trainings.names() == []


def test_one_that_a_killed_server_left_is_paused(trainings: Trainings, tmp_path: Path) -> None:
    name = trainings.start(tmp_path / "a.zip")
    wait_for(trainings, name, lambda t: t.done > 0)
    later = Trainings(trainings.folder)
    later.pause(name, "stopped")
    trainings.processes[name].wait(10)
    assert later.look(name).state == "stopped"


def test_the_end_passes_what_was_removed(trainings: Trainings, tmp_path: Path) -> None:
    name = trainings.start(tmp_path / "a.zip")
    trainings.pause(name)
    wait_for(trainings, name, lambda t: t.state == "paused")
    trainings.forget(name)
    assert trainings.processes == {}
    name = trainings.start(tmp_path / "a.zip")
    shutil.rmtree(trainings.folder)
    trainings.close()
    assert trainings.processes[name].poll() is not None


@pytest.mark.parametrize("stored", [{}, [], {"data": "a", "state": "sleeping", "words": 3, "process": None}])
def test_a_damaged_one_is_listed_and_removed(trainings: Trainings, stored: Any) -> None:
    store(trainings, "a", stored)
    assert trainings.running() is None
    assert trainings.look("a").state == "paused"
    if stored in ({}, []):
        with pytest.raises(ValueError, match="damaged"):
            trainings.go_on("a")
    trainings.forget("a")
    assert trainings.names() == []


def test_only_its_own_names_are_looked_up(trainings: Trainings) -> None:
    with pytest.raises(LookupError, match="no training"):
        trainings.look("../../etc")


def test_an_error_is_the_last_thing_that_was_written() -> None:
    lines = [{"message": "run: runs/x"}, {"text": "warning"}, {"text": "error: no room"}]
    assert training_of("a", "a", "failed", lines).error == "no room"
    assert training_of("a", "a", "running", lines).error == ""


def test_time_left_is_at_the_rate_since_the_second_update() -> None:
    lines = [{"time": 0.0, "done": 0, "total": 100}, {"time": 30.0, "done": 10, "total": 100}]
    assert seconds_left(lines) is None
    assert seconds_left([*lines, {"time": 40.0, "done": 30, "total": 100}]) == 35.0
    assert seconds_left([]) is None
