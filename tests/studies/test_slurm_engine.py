"""The backend of Slurm, with a queue that is this machine (tests/fixtures/fake_slurm.py)."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from unweave.files import read_json
from unweave.runs.run import Run
from unweave.studies import slurm_engine
from unweave.studies.engine import ClusterOptions
from unweave.studies.jobs import Job, perform
from unweave.studies.watcher import StudyWatcher

pytest.importorskip("submitit")
FAKE = Path(__file__).parent.parent / "fixtures" / "fake_slurm.py"


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the queue."""
    programs, folder = tmp_path / "programs", tmp_path / "queue"
    programs.mkdir()
    folder.mkdir()
    for name in ("sbatch", "srun", "squeue", "scontrol"):
        program = programs / name
        program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setattr(slurm_engine, "LOOK_EVERY", 0.2)
    return folder


class Heard(StudyWatcher):
    def __init__(self, look: Callable[[], None] = lambda: None) -> None:
        self.ended: dict[str, str] = {}
        self.looked = look

    def end(self, job: Job, failed: str) -> None:
        self.ended[job.name] = failed

    def look(self, running: Sequence[Job]) -> None:
        self.looked()


def at_work(queue: Path) -> list[tuple[psutil.Process, dict[str, str]]]:
    """The processes that do jobs of this queue, with their environments."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words, environment = process.info["cmdline"] or [""], process.info["environ"] or {}
        if environment.get("FAKE_SLURM") == str(queue) and "submitit.core._submit" in words and "-u" in words:
            found.append((process, environment))
    return found


def job(out: Path, name: str, images: int = 64) -> Job:
    table = {
        "data": {"name": "sprites", "size": 16},
        "training": {"images": images, "batch": 32, "precision": "float32", "threads": 1, "preview": 10**9,
                     "save": 10**6, "seed": int(name[-1])},
    }  # fmt: skip
    return Job(name, "run", "betavae", table, str(out / "runs" / name), (), str(out), scoring=None)


def test_without_slurm_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no sbatch on this machine"):
        slurm_engine.run_jobs([job(tmp_path, "a0")], None, Heard(), 1, ClusterOptions())


class Submitted(NamedTuple):
    """What the executor below gives back for a job."""

    job_id: str


class Taker:
    """An executor that takes whatever it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.arrays = folder, list[int]()

    def map_array(self, task: object, values: Sequence[object]) -> list[Submitted]:
        self.arrays.append(len(values))
        if len(self.arrays) == 1:
            signal.raise_signal(signal.SIGINT)
        return [Submitted(f"{len(self.arrays)}_{number}") for number in range(len(values))]


def test_what_is_queued_is_written_down_though_the_sweep_is_interrupted_and_kept_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, taker = [job(tmp_path, name) for name in ("a0", "b1", "c2")], Taker(tmp_path)
    monkeypatch.setattr(slurm_engine, "queued_jobs", lambda: {"1_0", "1_1"})
    with pytest.raises(KeyboardInterrupt):
        slurm_engine.SlurmEngine(taker, tmp_path, 2).submit(jobs[:2])
    assert read_json(tmp_path / "jobs.json") == {"a0": "1_0", "b1": "1_1"}
    following = slurm_engine.SlurmEngine(taker, tmp_path, 2)
    following.submit([jobs[0], jobs[2]])
    assert taker.arrays == [2, 1]
    assert read_json(tmp_path / "jobs.json") == {"a0": "1_0", "b1": "1_1", "c2": "2_0"}
    assert following.room() == 0


def test_a_queue_that_does_not_answer_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = slurm_engine.SlurmEngine(Taker(tmp_path), tmp_path, None)

    def silent() -> set[str]:
        raise OSError("Slurm does not answer")

    monkeypatch.setattr(slurm_engine, "queued_jobs", silent)
    assert engine._lost(set()) == []


@pytest.mark.long
def test_an_array_is_done_and_a_job_that_vanishes_has_failed(tmp_path: Path, queue: Path) -> None:
    out = tmp_path / "out"

    def kill_the_second() -> None:
        for process, environment in at_work(queue):
            if environment["SLURM_ARRAY_TASK_ID"] == "1":
                process.kill()

    heard = Heard(kill_the_second)
    slurm_engine.run_jobs([job(out, "a0"), job(out, "b1")], 2, heard, 1, ClusterOptions())
    assert heard.ended["a0"] == ""
    assert "left Slurm's queue without a result" in heard.ended["b1"]
    assert Run(out / "runs" / "a0").record()["images"] == 64
    script = (queue / "1.sh").read_text()
    assert "#SBATCH --array=0-1%2" in script
    assert "#SBATCH --requeue" in script
    assert "export OMP_NUM_THREADS=1" in script


@pytest.mark.long
def test_a_preempted_run_is_saved_queued_again_and_has_the_bits_of_one_left_alone(tmp_path: Path, queue: Path) -> None:
    out, sent = tmp_path / "out", list[int]()

    def preempt() -> None:
        log = out / "runs" / "a0" / "log.jsonl"
        if sent or not log.is_file() or not log.stat().st_size:
            return
        for process, _ in at_work(queue):
            process.send_signal(signal.SIGUSR2)
            sent.append(process.pid)

    heard = Heard(preempt)
    slurm_engine.run_jobs([job(out, "a0", 9_600)], None, heard, 1, ClusterOptions())
    assert heard.ended == {"a0": ""}
    assert len(sent) == 1
    perform(job(tmp_path / "alone", "a0", 9_600))
    assert Run(out / "runs" / "a0").digest() == Run(tmp_path / "alone" / "runs" / "a0").digest()
    saved = (out / "logs" / "a0.log").read_text()
    assert "saved at" in saved
