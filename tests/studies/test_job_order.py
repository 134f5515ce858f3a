from unweave.studies.job_order import JobOrder
from unweave.studies.jobs import Job


def job(name: str, *needs: str) -> Job:
    return Job(name, "run", "betavae", {}, name, needs, "")


def test_a_job_is_taken_when_its_needs_are_met() -> None:
    order = JobOrder([job("b", "a"), job("a", "made earlier"), job("c")])
    first, second = order.take(), order.take()
    assert first is not None
    assert second is not None
    assert [first.name, second.name, order.take()] == ["a", "c", None]
    assert order.end(first, "") == []
    assert order.take() == job("b", "a")
    assert not order.pending


def test_a_failure_takes_with_it_all_that_needs_it() -> None:
    order = JobOrder([job("a"), job("b", "a"), job("c", "b"), job("d")])
    first = order.take()
    assert first is not None
    lost = {job.name: why for job, why in order.end(first, "no good")}
    assert lost == {"b": "what it stands on has failed: a", "c": "what it stands on has failed: b"}
    assert [job.name for job in order.pending] == ["d"]
