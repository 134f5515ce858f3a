"""How far a download is, on stderr: a bar with bytes, speed and time left; without a terminal a line now and then."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

LINE_SECONDS = 10.0  # seconds between two lines

logger = logging.getLogger("unweave")

ReportBytes = Callable[[int, int | None], None]
"""Is told how many bytes are done, and of how many where that is known."""

ProgressMeter = Callable[[str], AbstractContextManager[ReportBytes]]
"""What shows a piece of work; it is given its title."""


@contextmanager
def progress_bar(title: str) -> Iterator[ReportBytes]:
    """A bar that vanishes when the work is done; lines of the log where stderr is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield progress_lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as drawn:
        task, last = drawn.add_task(title, total=None), -1

        def told(done: int, total: int | None) -> None:
            nonlocal last
            if last < 0 or done < last:  # bytes that were there before say nothing of the speed
                drawn.reset(task, completed=done, total=total)
            drawn.update(task, completed=done, total=total)
            last = done

        yield told


def progress_lines(title: str, every: float = LINE_SECONDS) -> ReportBytes:
    """A line of the log every so many seconds."""
    since, first = time.monotonic(), -1

    def told(done: int, total: int | None) -> None:
        nonlocal since, first
        if first < 0 or done < first:
            since, first = time.monotonic(), done
        elif (passed := time.monotonic() - since) >= every:
            share = f" of {format_bytes(total)} ({done / max(total, 1):.0%})" if total else ""
            logger.info("%s: %s%s, %s/s", title, format_bytes(done), share, format_bytes(int((done - first) / passed)))
            since, first = time.monotonic(), done

    return told


def format_bytes(size: int) -> str:
    """A number of bytes for people: "812 bytes", "3.4 MB", "1.25 GB"."""
    if size < 1_000:
        return f"{size} bytes"
    if size < 1_000_000:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1_000_000_000 else f"{size / 1e9:.2f} GB"
