import os
import signal
from collections.abc import Sequence

import pytest

from unweave.studies.engine import Engine, carry_out, last_line
from unweave.studies.jobs import Job
from unweave.studies.watcher import StudyWatcher


@pytest.mark.parametrize(("said", "line"), [("", "ValueError"), ("first\nlast\n", "last")])
def test_an_error_has_a_last_line_though_it_says_nothing(said: str, line: str) -> None:
    assert last_line(ValueError(said)) == line


class InTurn(Engine):
    """Does the job that it has had longest, at most two at a time; those called bad fail."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.most, self.stopped = 0, False

    def room(self) -> int:
        return 2 - len(self.jobs)

    def submit(self, jobs: Sequence[Job]) -> None:
        self.jobs += jobs
        self.most = max(self.most, len(self.jobs))

    def ended(self, seconds: float) -> list[tuple[Job, str]]:
        job = self.jobs.pop(0)
        if job.name == "interrupt":
            os.kill(os.getpid(), signal.SIGTERM)
        return [(job, "no good" if job.name == "bad" else "")]

    def stop(self) -> None:
        self.stopped = True


class Heard(StudyWatcher):
    def __init__(self) -> None:
        self.ended: dict[str, str] = {}

    def end(self, job: Job, failed: str) -> None:
        self.ended[job.name] = failed


def job(name: str, *needs: str) -> Job:
    return Job(name, "run", "betavae", {}, name, needs, "")


def test_jobs_are_done_in_their_order_and_no_more_at_a_time_than_there_is_room() -> None:
    engine, watcher = InTurn(), Heard()
    carry_out([job("b", "a"), job("a"), job("bad"), job("on bad", "bad"), job("c")], engine, watcher)
    assert watcher.ended == {
        "a": "", "b": "", "c": "", "bad": "no good", "on bad": "what it stands on has failed: bad",
    }  # fmt: skip
    assert list(watcher.ended).index("a") < list(watcher.ended).index("b")
    assert engine.most == 2
    assert not engine.stopped


def test_a_termination_stops_the_engine() -> None:
    engine = InTurn()
    with pytest.raises(SystemExit):
        carry_out([job("interrupt"), job("a")], engine, StudyWatcher())
    assert engine.stopped
