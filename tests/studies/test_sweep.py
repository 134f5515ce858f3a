"""A study from its file to its page; in real processes it is slow by nature."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.studies.results import table

import unweave
from unweave.runs.run import Run
from unweave.studies import local
from unweave.studies.jobs import Job, perform
from unweave.studies.sweep import SweepOptions, load_study, sweep
from unweave.studies.watcher import StudyWatcher

STUDY = """
title = "Two of the first"
methods = ["betavae", {name = "dipvae", settings = {method = {variant = "II"}}}]
data = [{name = "sprites", size = 16}]
seeds = 2
images = [IMAGES]
protocols = ["mig@1", "factorvae@1"]
rows = 500
[settings.training]
batch = 32
precision = "float32"
save = SAVE
"""


def write(path: Path, images: int, save: int = 10**6, **changes: str) -> Path:
    text = STUDY.replace("IMAGES", str(images)).replace("SAVE", str(save))
    for old, new in changes.items():
        text = text.replace(f"{old} = ", f"{old} = {new} # ")
    path.write_text(text)
    return path


class InProcess(NamedTuple):
    """Jobs that were done here, and names of those that shall fail."""

    names: list[str]
    failing: set[str]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    done = InProcess([], set())

    def run_jobs(jobs: list[Job], processes: int, watcher: StudyWatcher, threads: int = 1) -> None:
        for job in jobs:
            done.names.append(job.name)
            watcher.begin(job)
            if job.name in done.failing:
                watcher.end(job, "the loss is no number")
            else:
                perform(job)
                watcher.end(job, "")

    monkeypatch.setattr(local, "run_jobs", run_jobs)
    return done


@pytest.mark.long
def test_a_study_that_has_grown_does_what_is_new(in_process: InProcess, tmp_path: Path) -> None:
    options = SweepOptions(tmp_path / "out")
    first = unweave.sweep(write(tmp_path / "study.toml", 64, methods='["betavae"]', seeds="1"), options)
    assert in_process.names == ["betavae-sprites-16-64-0"]
    assert first.page.read_text().count("betavae") > 0
    before = table(first.out)
    again = sweep(write(tmp_path / "study.toml", 64, methods='["betavae"]', seeds="2"), options)
    assert in_process.names == ["betavae-sprites-16-64-0", "betavae-sprites-16-64-1"]
    assert again.done == 2
    assert table(first.out)[: len(before)] == before
    sweep(tmp_path / "study.toml", options)
    assert len(in_process.names) == 2


@pytest.mark.long
def test_a_run_that_fails_is_set_aside_and_tried_again_when_asked(in_process: InProcess, tmp_path: Path) -> None:
    study, out = write(tmp_path / "study.toml", 64, methods='["betavae"]'), tmp_path / "out"
    in_process.failing.add("betavae-sprites-16-64-0")
    swept = sweep(study, SweepOptions(out))
    assert (swept.done, list(swept.failed)) == (1, ["betavae-sprites-16-64-0"])
    assert "no number" in swept.failed["betavae-sprites-16-64-0"].read_text()
    assert "betavae-sprites-16-64-0" in swept.page.read_text()
    assert sweep(study, SweepOptions(out)).done == 1
    assert len(in_process.names) == 2
    in_process.failing.clear()
    assert sweep(study, SweepOptions(out, retry=True)).failed == {}
    assert {row["seed"] for row in table(out)} == {"0", "1"}


def test_the_small_form_says_that_it_is_not_results(in_process: InProcess, tmp_path: Path) -> None:
    study = write(tmp_path / "study.toml", 10**9, methods='["betavae"]', protocols='["mig@1"]')
    swept = sweep(study, SweepOptions(tmp_path / "out", small=True))
    assert in_process.names == ["betavae-sprites-320-0"]
    assert "<h1>not results: Two of the first</h1>" in swept.page.read_text()


def test_nothing_is_trained_where_the_study_is_wrong(in_process: InProcess, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean 'mig@1'"):
        sweep(write(tmp_path / "study.toml", 64, protocols='["mig"]'), SweepOptions(tmp_path / "out"))
    assert in_process.names == []
    assert not (tmp_path / "out").exists()


def command(study: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "unweave", "sweep", str(study), "--out", str(out), "--processes", "2"]


@pytest.mark.long
def test_a_study_that_is_killed_and_resumed_has_the_table_of_one_left_alone(tmp_path: Path) -> None:
    study, rng = write(tmp_path / "study.toml", 3_200, save=320), random.Random(0)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    subprocess.run(command(study, whole), check=True, capture_output=True)
    for number in (0, 1):
        process = subprocess.Popen(command(study, stopped), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if len([*stopped.glob("runs/*/checkpoints/*/state.json")]) > number:
                break
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(1)  # its processes notice that it is gone
    killed = len([*stopped.glob("rows/*.json")])
    done = subprocess.run(command(study, stopped), check=True, capture_output=True, text=True)
    assert killed < 4
    assert table(stopped) == table(whole)
    assert len(table(whole)) == 4 * 4
    assert done.stdout.strip() == str(stopped / "index.html")


@pytest.mark.long
def test_a_run_has_the_bits_that_its_command_gives(tmp_path: Path) -> None:
    """Whichever run its process has served before."""
    study, out = write(tmp_path / "study.toml", 640), tmp_path / "out"
    words = [*command(study, out)[:-1], "1"]
    subprocess.run(words, check=True, capture_output=True)
    last = load_study(study, SweepOptions(out)).runs[-1]
    words = last.command.replace(str(last.run_dir), str(tmp_path / "alone")).split()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True, env=environment)
    assert Run(last.run_dir).digest() == Run(tmp_path / "alone").digest()
