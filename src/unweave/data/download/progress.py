"""How far a download is, on stderr: a bar with bytes, speed and time left; without a terminal a line now and then."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from unweave.data.disk_space import format_bytes

LINE_SECONDS = 10.0  # seconds between two lines

logger = logging.getLogger("unweave")

ReportBytes = Callable[[int, int | None], None]
"""Called with the number of bytes that are done, and of all of them where that is known."""

ProgressMeter = Callable[[str], AbstractContextManager[ReportBytes]]
"""Title of a piece of work -> what shows how far it is."""


@contextmanager
def progress_bar(title: str) -> Iterator[ReportBytes]:
    """A bar that vanishes when the work is done; lines of the log where stderr is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield progress_lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as display:
        task, last = display.add_task(title, total=None), -1

        def report(done: int, total: int | None) -> None:
            nonlocal last
            if last < 0 or done < last:  # bytes that were there before say nothing of the speed
                display.reset(task, completed=done, total=total)
            display.update(task, completed=done, total=total)
            last = done

        yield report


def progress_lines(title: str, every: float = LINE_SECONDS) -> ReportBytes:
    """A line of the log every so many seconds."""
    line_time, line_bytes = time.monotonic(), -1  # of the last line

    def report(done: int, total: int | None) -> None:
        nonlocal line_time, line_bytes
        if line_bytes < 0 or done < line_bytes:
            line_time, line_bytes = time.monotonic(), done
        elif (seconds := time.monotonic() - line_time) >= every:
            share = f" of {format_bytes(total)} ({done / max(total, 1):.0%})" if total else ""
            speed = format_bytes(int((done - line_bytes) / seconds))
            logger.info("%s: %s%s, %s/s", title, format_bytes(done), share, speed)
            line_time, line_bytes = time.monotonic(), done

    return report
