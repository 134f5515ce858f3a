import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import unweave
from unweave.runs import lock
from unweave.runs.lock import BusyError, TrainingLock, check_not_training, one_writer
from unweave.runs.run import Run

HOLD = """
import sys, time
from pathlib import Path
from unweave.runs.lock import TrainingLock
held = TrainingLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_one_process_trains_and_the_other_is_told_which(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    for attempt in (check_not_training, TrainingLock):
        with pytest.raises(BusyError, match=f"process {other.pid} on "):
            attempt(tmp_path)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    TrainingLock(tmp_path).release()  # free after SIGKILL
    assert not (tmp_path / lock.HOLDER).exists()


def test_a_run_that_is_trained_is_not_resumed_nor_overwritten(quick_run: Run, tmp_path: Path) -> None:
    held = TrainingLock(tmp_path)
    (tmp_path / "settings.toml").write_bytes((quick_run.path / "settings.toml").read_bytes())
    for how in ({"resume": True}, {"overwrite": True}):
        with pytest.raises(BusyError, match=f"process {os.getpid()} on "):
            unweave.train("encdiff", data="sprites", run=tmp_path, **how)
    held.release()
    assert (tmp_path / "settings.toml").is_file()


def test_a_training_lets_go_of_its_run(quick_run: Run) -> None:
    check_not_training(quick_run.path)
    assert not (quick_run.path / lock.HOLDER).exists()


def test_writers_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = tmp_path / "counter.json"
    counter.write_text("0")

    def count() -> None:
        for _ in range(20):
            with one_writer(tmp_path):
                counter.write_text(json.dumps(json.loads(counter.read_text()) + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "80"
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    with one_writer(tmp_path), pytest.raises(BusyError, match="another process"), one_writer(tmp_path):
        pytest.fail("two write at once")
