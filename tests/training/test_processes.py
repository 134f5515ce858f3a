import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.conftest import QUICK

import unweave
from unweave.runs import ledger
from unweave.runs.run import Run
from unweave.training import processes
from unweave.training.experiment import resolve

DATA = {"name": "sprites", "size": 16}
TRAINING = {"images": 64, "batch": 16, "precision": "float32", "save": 32, "preview": 64, "processes": 2}


def test_one_of_several_processes_starts_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    several = resolve("encdiff", {"training": {"processes": 2}})
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes.are_asked(several)
    assert not processes.are_asked(resolve("encdiff"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert not processes.are_asked(several)


@pytest.mark.long
def test_a_run_of_two_processes_is_like_any_other(tmp_path: Path) -> None:
    run = unweave.train("encdiff", data=DATA, method=QUICK, training=TRAINING, run=tmp_path / "run")
    assert run.record()["processes"] == 2
    assert run.state()["seen"] == 64
    assert run.is_complete()
    with pytest.raises(RuntimeError, match="exit status"):  # 15 images a step cannot be shared by two
        unweave.train("encdiff", data=DATA, method=QUICK, training={**TRAINING, "batch": 15}, run=tmp_path / "odd")
    one = {**TRAINING, "images": 64, "processes": 1}
    resumed = unweave.train("encdiff", data=DATA, method=QUICK, training=one, run=run.path, resume=True)
    assert resumed.digest() == Run(run.path).digest()


@pytest.mark.long
def test_several_processes_train_on_a_path_where_no_ledger_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNWEAVE_STATE", str(tmp_path / "file" / "state"))
    images = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images)
    data = {"name": "npz", "path": str(tmp_path / "mine.npz"), "size": 16}
    for resume in (False, True):
        run = unweave.train(
            "encdiff", data=data, method=QUICK, training=TRAINING, run=tmp_path / "run", resume=resume
        )  # fmt: skip
        assert run.is_complete()
        assert not ledger.is_trained_here(run.path)


@pytest.mark.long
def test_a_terminated_command_leaves_no_process_behind(tmp_path: Path) -> None:
    words = ["data=sprites", "data.size=16", *(f"training.{key}={value}" for key, value in TRAINING.items())]
    command = [sys.executable, "-m", "unweave", "train", "encdiff", *words, "training.images=1000000"]
    parent = subprocess.Popen([*command, "--run", str(tmp_path / "run")], stderr=subprocess.DEVNULL)
    log, deadline = tmp_path / "run" / "log.jsonl", time.monotonic() + 120
    while not (log.is_file() and log.stat().st_size):
        assert time.monotonic() < deadline, "no step in two minutes"
        time.sleep(0.2)
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) >= 3  # torchrun and two processes
    os.kill(parent.pid, signal.SIGTERM)
    assert parent.wait(timeout=60) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
