"""A foundation and the method on it are one task with one time left."""

import time
from pathlib import Path

import pytest
from tests.conftest import Recorder
from tests.training.test_recipes import DATA, DENOISER, RECIPE, TRAINING, train

from unweave import progress
from unweave.progress import Lines, Progress, Task
from unweave.runs.plan import plan
from unweave.training import chain, step_time
from unweave.training.chain import Chain, Stage


class LastUpdate(Task):
    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        self.done, self.note = done, note


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    return seconds


def test_what_is_done_is_the_share_of_the_time_of_all_stages(now: list[float]) -> None:
    whole = LastUpdate()
    one = Chain(Progress(), whole, [Stage("denoiser", 100, 0, 1.0), Stage("diti", 50, 10, 3.0)])
    with one.task("training", 100, "images", 0) as task:
        for seen in range(0, 101, 10):  # twice as slow as it was timed
            now[0] = 2 * seen
            task.update(seen)
            if seen > 0:
                assert whole.done == pytest.approx(100 * 2 * seen / (200 + 2 * 3 * 40))
        assert whole.note == "1 of 2, denoiser: 100/100 images"
    with one.task("training", 50, "images", 10) as task:
        task.update(10, "loss 0.5")
        assert whole.done == pytest.approx(100 * 200 / 440)
        now[0] = 210  # 10 images, each in a second: sooner than was thought
        task.update(20)
        assert whole.note == "2 of 2, diti: 20/50 images  loss 0.5"
        assert whole.done == pytest.approx(100 * 210 / 240)
        now[0] = 240
        task.update(50)
    assert whole.done == 100


def test_the_first_step_does_not_make_the_rate(now: list[float]) -> None:
    whole = LastUpdate()
    one = Chain(Progress(), whole, [Stage("denoiser", 100, 0, 1.0), Stage("diti", 100, 0, 1.0)])
    with one.task("training", 100, "images", 0) as task:
        for now[0], seen, share in ((30.0, 2, 30 / (30 + 198)), (31.0, 12, 31 / (31 + 188)), (33.0, 32, 33 / 49.8)):
            task.update(seen)
            assert whole.done == pytest.approx(100 * share)


def test_other_work_and_messages_go_where_they_went(capsys: pytest.CaptureFixture[str]) -> None:
    one = Chain(Lines(), LastUpdate(), [Stage("denoiser", 100, 0, 1.0)])
    with progress.use(one):
        progress.message("picture: a.png")
        with progress.task("encoding", 10, "images") as task:
            assert type(task) is progress.Line
    assert capsys.readouterr().err == "picture: a.png\n"


@pytest.mark.slow
def test_a_training_with_its_foundation_is_one_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "LEAST", 0)
    monkeypatch.setattr(step_time, "SECONDS", 0.05)
    recorder, alone = Recorder(), Recorder()
    run = train(tmp_path / "joined", recorder=recorder)
    assert len(recorder.first) == 1, "one task"
    updates = recorder.updates_of("training")
    assert [update.note.split("  ")[0] for update in updates] == [
        f"{stage}: {seen}/64 images"
        for stage in ("1 of 2, autoencoder", "2 of 2, denoiser")
        for seen in (16, 32, 48, 64)
    ]
    assert 0 < updates[0].done < updates[4].done < updates[7].done == 100
    assert recorder.messages[0] == "timing a step of autoencoder, denoiser, for one time left of all"
    monkeypatch.setattr(chain, "LEAST", 1_000)
    apart = train(tmp_path / "apart", recorder=alone)
    assert alone.first == [0, 0], "so little is trained sooner than timed"
    assert apart.digest() == run.digest(), "it is the same training"


def test_a_stage_that_cannot_be_timed_costs_what_the_one_before_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    costs = {"autoencoder": 2.0, "denoiser": None}
    monkeypatch.setattr(chain, "_cost", lambda settings, folder: costs[settings.method.name])
    source = {"from": str(tmp_path / "autoencoder"), "recipe": RECIPE}
    settings = plan(
        "denoiser", {"foundation": {"autoencoder": source}, "data": DATA, "method": DENOISER, "training": TRAINING}
    )
    missing = chain.missing_trainings(settings)
    assert [(each.name, run_dir) for run_dir, each in missing.items()] == [("autoencoder", tmp_path / "autoencoder")]
    planned = [*missing.values(), chain.Planned("denoiser", settings, 0)]
    assert chain.timed(planned, tmp_path) == [Stage("autoencoder", 64, 0, 2.0), Stage("denoiser", 64, 0, 2.0)]


def test_what_has_seen_all_images_is_no_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    autoencoder = {"from": str(tmp_path / "autoencoder"), "recipe": {**RECIPE, "data": DATA}}
    own = {"method": {"name": "denoiser", **DENOISER}, "foundation": {"autoencoder": autoencoder}}
    denoiser = {"from": str(tmp_path / "denoiser"), "recipe": {**own, "data": DATA, "training": TRAINING}}
    settings = plan("disdiff", {"foundation": {"denoiser": denoiser}, "data": DATA})
    assert [each.name for each in chain.missing_trainings(settings).values()] == ["autoencoder", "denoiser"]
    monkeypatch.setattr(chain, "seen_before", lambda run_dir: 64 if run_dir.name == "autoencoder" else 16)
    assert [(each.name, each.seen) for each in chain.missing_trainings(settings).values()] == [("denoiser", 16)]


def test_an_estimate_ends_no_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(settings: object, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(chain, "on_stand_ins", full)
    settings = plan("denoiser", {"data": DATA, "method": DENOISER, "training": TRAINING})
    assert chain.timed([chain.Planned("denoiser", settings, 0)], tmp_path) == [Stage("denoiser", 64, 0, 1.0)]
    assert not list(tmp_path.iterdir()), "nothing is left"
