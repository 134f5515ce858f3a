"""In which order the jobs of a study are done: each after those that it needs, and not where one of them fails."""

from collections import deque
from collections.abc import Sequence

from unweave.studies.jobs import Job


class JobOrder:
    """The jobs that nobody has begun, and what has become of the others."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.pending, self.names = deque(jobs), {job.name for job in jobs}
        self.ended, self.failed = set[str](), set[str]()

    def take(self) -> Job | None:
        """The next job whose needs are met, which is then begun; None where all are begun, or wait for others."""
        job = next((job for job in self.pending if self._is_ready(job)), None)
        if job is not None:
            self.pending.remove(job)
        return job

    def end(self, job: Job, why: str) -> list[tuple[Job, str]]:
        """A job is done, or has failed for the reason `why`; those that fail with it, each with its reason."""
        dropped: list[tuple[Job, str]] = []
        if not why:
            self.ended.add(job.name)
            return dropped
        self.failed.add(job.name)
        while lost := [job for job in self.pending if self.failed & set(job.needs)]:
            for job in lost:
                self.pending.remove(job)
                self.failed.add(job.name)
                needs = ", ".join(sorted(self.failed & set(job.needs)))
                dropped.append((job, f"what it stands on has failed: {needs}"))
        return dropped

    def _is_ready(self, job: Job) -> bool:
        return all(name in self.ended or name not in self.names for name in job.needs)
