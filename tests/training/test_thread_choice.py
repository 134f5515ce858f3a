from pathlib import Path

import pytest
import torch
from tests.conftest import QUICK, Recorder

import unweave
from unweave import progress
from unweave.runs.run import Run
from unweave.training import thread_choice
from unweave.training.thread_choice import RateWatch

DATA = {"name": "sprites", "size": 16}
TRAINING = {"images": 96, "batch": 16, "precision": "float32", "save": 48, "preview": 1_000, "warmup": 16}


def test_a_rate_below_half_of_its_best_for_ten_seconds_is_slow() -> None:
    watch = RateWatch()
    for _ in range(20):
        assert not watch.is_slow(100, 1.0)
    for _ in range(9):
        assert not watch.is_slow(49, 1.0)
    assert not watch.is_slow(51, 1.0)  # it was better once: the ten seconds begin anew
    assert [watch.is_slow(49, 1.0) for _ in range(10)] == [False] * 9 + [True]
    assert not any(watch.is_slow(49, 1.0) for _ in range(30))  # what it has come to is the measure now


def test_a_short_pause_is_not_slow() -> None:
    watch = RateWatch()
    assert not any(watch.is_slow(10, 0.1) for _ in range(50))
    assert not watch.is_slow(10, 8.0)
    assert not any(watch.is_slow(10, 0.1) for _ in range(50))


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Torch has two threads (it is only told so), and this list has what is faster at every choice."""
    now, faster = [2], list[int]()
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[-1])
    monkeypatch.setattr(torch, "set_num_threads", now.append)

    def timed(work, counts, seconds):
        work()
        best = faster.pop(0)
        return {count: 1.0 if count == best else 2.0 for count in counts}

    monkeypatch.setattr(thread_choice, "time_threads", timed)
    return faster


def slow_at(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """The rate has fallen after these steps of a training."""
    counts = iter(range(1, 1_000))
    monkeypatch.setattr(RateWatch, "is_slow", lambda self, images, seconds: next(counts) in steps)


def test_auto_times_at_the_start_and_when_it_is_slow_and_a_resumed_run_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_threads: list[int]
) -> None:
    def train(run: str, training: dict[str, object] | None = None, resume: bool = False) -> Run:
        settings = {**TRAINING, **(training or {})}
        return unweave.train("encdiff", data=DATA, method=QUICK, training=settings, run=tmp_path / run, resume=resume)

    used: list[tuple[int, int]] = []

    def note(seen: int) -> None:
        used.append((seen, torch.get_num_threads()))

    two_threads += [2, 1]
    slow_at(monkeypatch, 4)
    recorder = Recorder(note)
    with progress.use(recorder):
        whole = train("whole")
    expected = [{"seen": 0, "threads": 2}, {"seen": 64, "threads": 1}]
    assert whole.record()["thread_choices"] == expected
    assert [text.split(" (")[0] for text in recorder.messages if text.startswith("threads")] == [
        "threads: 2 from 0 images on",
        "threads: 1 from 64 images on",
    ]
    assert torch.get_num_threads() == 2
    assert used == [(16, 2), (32, 2), (48, 2), (64, 1), (80, 1), (96, 1)]

    two_threads += [2, 1]
    slow_at(monkeypatch, 4)

    def die(seen: int) -> None:
        if seen == 80:
            raise RuntimeError("killed")

    with progress.use(Recorder(die)), pytest.raises(RuntimeError, match="killed"):
        train("killed")
    slow_at(monkeypatch)  # nothing is timed any more: the choices are taken as they are
    used.clear()
    with progress.use(Recorder(note)):
        resumed = train("killed", resume=True)
    assert used == [(64, 1), (80, 1), (96, 1)]
    assert resumed.record()["resumed_at"] == [48]
    assert resumed.record()["thread_choices"] == expected
    assert resumed.digest() == whole.digest()


def test_the_choice_leaves_no_trace_and_a_number_is_a_promise(tmp_path: Path, two_threads: list[int]) -> None:
    two_threads += [1]
    auto = unweave.train("encdiff", data=DATA, method=QUICK, training=TRAINING, run=tmp_path / "auto")
    one = {**TRAINING, "threads": 1}
    fixed = unweave.train("encdiff", data=DATA, method=QUICK, training=one, run=tmp_path / "fixed")
    assert "thread_choices" not in fixed.record()
    assert fixed.record()["threads"] == 1
    assert auto.digest() == fixed.digest()
    assert torch.get_num_threads() == 2


def test_a_run_from_a_machine_with_more_cores_is_timed_again(tmp_path: Path, two_threads: list[int]) -> None:
    two_threads += [2, 1]
    half = {**TRAINING, "images": 96}

    def die(seen: int) -> None:
        if seen == 64:
            raise RuntimeError("killed")

    with progress.use(Recorder(die)), pytest.raises(RuntimeError, match="killed"):
        unweave.train("encdiff", data=DATA, method=QUICK, training=half, run=tmp_path / "run")
    thread_choice.store_choices(Run(tmp_path / "run"), [thread_choice.Choice(0, 64)])
    resumed = unweave.train("encdiff", data=DATA, method=QUICK, training=half, run=tmp_path / "run", resume=True)
    assert resumed.record()["thread_choices"] == [{"seen": 0, "threads": 64}, {"seen": 48, "threads": 1}]
