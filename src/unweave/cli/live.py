"""The live table of a study on stderr: a table in a terminal, a line for each event elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from unweave.cli import output
from unweave.studies.jobs import Job
from unweave.studies.plan import StudyPlan
from unweave.studies.watcher import StudyWatcher

TAIL = 2_000
"""Bytes of a log in which its last line is looked for."""


@contextmanager
def live_table(plan: StudyPlan, quiet: bool) -> Iterator[StudyWatcher]:
    """What a sweep tells how far it is: drawn in a terminal, said elsewhere, nothing with `quiet`."""
    if quiet:
        yield StudyWatcher()
    elif sys.stderr.isatty():
        with Live(console=Console(stderr=True), refresh_per_second=2) as live:
            yield LiveTable(len(plan.missing()), live)
    else:
        yield EventLines(len(plan.missing()))


class EventLines(StudyWatcher):
    """A line on stderr when a job begins and when it ends."""

    def __init__(self, total: int) -> None:
        self.total, self.ended, self.began = total, 0, dict[str, float]()

    def begin(self, job: Job) -> None:
        self.began[job.name] = time.monotonic()
        output.say(f"begins: {job.name}")

    def end(self, job: Job, failed: str) -> None:
        self.ended += job.kind == "run"
        seconds = time.monotonic() - self.began.get(job.name, time.monotonic())
        ending = f"failed: {failed}" if failed else f"done in {seconds:.0f} s"
        output.say(f"{self.ended}/{self.total} {job.name}: {ending}")


class LiveTable(StudyWatcher):
    """What runs, how far each is, and what has become of the others."""

    def __init__(self, total: int, live: Live) -> None:
        self.total, self.live, self.done, self.start = total, live, 0, time.monotonic()
        self.failed: dict[str, str] = {}
        self.began: dict[str, float] = {}

    def begin(self, job: Job) -> None:
        self.began[job.name] = time.monotonic()

    def end(self, job: Job, failed: str) -> None:
        if failed:
            self.failed[job.name] = failed
        elif job.kind == "run":
            self.done += 1

    def look(self, running: Sequence[Job]) -> None:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        minutes = (time.monotonic() - self.start) / 60
        table = Table(title=f"{self.done} of {self.total} runs{failed}, {minutes:.1f} min", title_justify="left")
        table.add_column("run", overflow="fold")
        table.add_column("seconds", justify="right")
        table.add_column("how far", overflow="fold")
        for job in running:
            seconds = time.monotonic() - self.began[job.name]
            table.add_row(Text(job.name), f"{seconds:.0f}", Text(last_line(job.log())))
        for name, why in self.failed.items():
            table.add_row(Text(name), "", Text(f"failed: {why}"), style="red")
        self.live.update(table)


def last_line(log: Path) -> str:
    """What a job has last said."""
    if not log.is_file():
        return "starts"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else "starts"
