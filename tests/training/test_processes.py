from pathlib import Path

import pytest
from tests.conftest import QUICK

import unweave
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
