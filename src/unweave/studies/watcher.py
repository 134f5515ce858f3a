"""Who is told what becomes of the jobs of a study, on every backend."""

from collections.abc import Sequence

from unweave.studies.jobs import Job

TICK = 0.5
"""Seconds between two looks at how far jobs are."""


class StudyWatcher:
    """Is told what becomes of jobs. This one does nothing."""

    def begin(self, job: Job) -> None:
        """A process has taken it."""

    def end(self, job: Job, failed: str) -> None:
        """It is done, or has failed for this reason."""

    def look(self, running: Sequence[Job]) -> None:
        """Some time has passed."""
