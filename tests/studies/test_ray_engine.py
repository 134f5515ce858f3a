"""The backend of Ray: what it asks for without a cluster, and in real processes the scores of `local`."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.studies.results import table

from unweave.studies.engine import ClusterOptions
from unweave.studies.jobs import Job
from unweave.studies.ray_engine import disk_full, do
from unweave.studies.sweep import SweepOptions, sweep

STUDY = """
methods = ["betavae"]
data = [{name = "sprites", size = 16}]
seeds = 2
images = [IMAGES]
protocols = ["mig@1", "factorvae@1"]
rows = 500
[settings.training]
batch = 32
precision = "float32"
save = 320
"""


def test_a_node_without_the_working_folder_fails_the_job(tmp_path: Path) -> None:
    job = Job("a0", "run", "betavae", {}, str(tmp_path / "run"), (), str(tmp_path))
    assert "start the sweep in a folder that all nodes share" in do(tuple(job), str(tmp_path / "absent"))
    assert not (tmp_path / "run").exists()


def test_a_full_disk_says_where_and_what_to_do() -> None:
    assert "is full" in disk_full(OSError(errno.ENOSPC, "no space"))
    assert "--retry" in disk_full(OSError(errno.ENOSPC, "no space"))
    assert disk_full(OSError(errno.EACCES, "no")) == ""


def test_a_cluster_that_is_not_there_fails_before_anything_is_trained(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    study = tmp_path / "study.toml"
    study.write_text(STUDY.replace("IMAGES", "64"))
    options = SweepOptions(tmp_path / "out", backend="ray", cluster=ClusterOptions(address="127.0.0.1:1"))
    with pytest.raises(ConnectionError, match="cannot be reached"):
        sweep(study, options)
    assert not (tmp_path / "out" / "runs").exists()
    assert not (tmp_path / "out" / "failed").exists()


@pytest.mark.long
def test_ray_gives_the_scores_of_local_though_a_worker_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    study = tmp_path / "study.toml"
    study.write_text(STUDY.replace("IMAGES", "6_400"))
    words = [sys.executable, "-m", "unweave", "sweep", str(study), "--processes", "2"]
    subprocess.run([*words, "--out", str(tmp_path / "local")], check=True, capture_output=True)
    process = subprocess.Popen([*words, "--out", str(tmp_path / "ray"), "--backend", "ray"])
    deadline = time.monotonic() + 120
    while not [*(tmp_path / "ray").glob("runs/*/checkpoints/*/state.json")] and time.monotonic() < deadline:
        time.sleep(0.05)
    at_work = [child for child in psutil.Process(process.pid).children(recursive=True)
               if (child.cmdline() or [""])[0].startswith("ray::betavae")]  # fmt: skip
    assert at_work
    os.kill(at_work[0].pid, signal.SIGKILL)
    assert process.wait(300) == 0
    assert table(tmp_path / "ray") == table(tmp_path / "local")
    assert {row["seed"] for row in table(tmp_path / "ray")} == {"0", "1"}
