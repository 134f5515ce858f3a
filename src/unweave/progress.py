"""How far long work is: the library says it here, and whoever looks on draws it.

    with progress.task("encoding", total=len(rows), unit="images") as task:
        task.update(done)

A bar on stderr is drawn where a person looks on (a terminal, a notebook), and nothing anywhere else; `use` puts another
`Progress` in its place, such as the command line's, and `use(Progress())` or UNWEAVE_PROGRESS=off silences it. With
UNWEAVE_PROGRESS=json a command writes a JSON object a line on stderr, for a program that looks on.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

Amount = float | int


class Task:
    """A piece of work that is going on. This one is not shown."""

    def update(self, done: Amount, note: str = "", total: Amount | None = None) -> None:
        """So much is done (of a total that may only now be known); `note` stands beside it until the next one."""


class Canvas:
    """A place for a picture that changes while work goes on. This one is not shown."""

    def show(self, picture: object) -> None:
        """This picture, in the place of the one before it."""


class Progress:
    """What draws tasks and says messages. This one is silent."""

    def task(self, name: str, total: Amount | None, unit: str, done: Amount) -> AbstractContextManager[Task]:
        """A task for the time of a `with`, of which `done` is there at the beginning."""
        return nullcontext(Task())

    def message(self, text: str) -> None:
        """A line for the person who waits."""

    def canvas(self) -> Canvas:
        """A place for a picture that changes."""
        return Canvas()


class Bar(Task):
    """A bar with mean rate and time left, by tqdm; bytes have their prefixes."""

    def __init__(self, name: str, total: Amount | None, unit: str, done: Amount) -> None:
        from tqdm import tqdm

        bytes_ = unit == "B"
        self.drawn = tqdm(
            desc=name, total=total, initial=done, unit=unit if bytes_ else f" {unit}", unit_scale=bytes_,
            file=sys.stderr, leave=False, dynamic_ncols=True, delay=0.5, smoothing=0,
        )  # fmt: skip

    def update(self, done: Amount, note: str = "", total: Amount | None = None) -> None:
        if total is not None:
            self.drawn.total = total
        if note:
            self.drawn.set_postfix_str(note, refresh=False)
        self.drawn.update(done - self.drawn.n)


class NotebookCanvas(Canvas):
    """A picture below the cell of a notebook."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, picture: object) -> None:
        from IPython.display import display

        if self.handle is None:
            self.handle = display(picture, display_id=True)
        else:
            self.handle.update(picture)


class Bars(Progress):
    """A bar for each task, and messages above it, on stderr; in a notebook also pictures."""

    @contextmanager
    def task(self, name: str, total: Amount | None, unit: str, done: Amount) -> Iterator[Task]:
        bar = Bar(name, total, unit, done)
        try:
            yield bar
        finally:
            bar.drawn.close()

    def message(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)

    def canvas(self) -> Canvas:
        return NotebookCanvas() if is_notebook() else Canvas()


class Line(Task):
    """A line on stderr at every twentieth of the work (every ten seconds where its size is not known), no two within a
    second. The rate is that of what follows the first update, where more does: the beginning of a work is slow."""

    def __init__(self, name: str, total: Amount | None, unit: str, done: Amount) -> None:
        self.name, self.total, self.unit, self.note = name, total, unit, ""
        self.last = time.monotonic()
        self.begin = self.warm = (done, self.last)
        self.share = done / total if total else 0.0

    def update(self, done: Amount, note: str = "", total: Amount | None = None) -> None:
        self.total, self.note = self.total if total is None else total, note or self.note
        now = time.monotonic()
        if self.warm is self.begin:
            self.warm = (done, now)
        if now - self.last < (1.0 if self.total else 10.0) or (self.total and done / self.total < self.share):
            return
        self.last, self.share = now, done / self.total + 0.05 if self.total else 0.0
        print(self.text(done, now), file=sys.stderr, flush=True)

    def text(self, done: Amount, now: float) -> str:
        """As in "training: 2,000/10,000 images, 340/s, 24 s left, denoising 0.0312"."""
        parts = [f"{self.name}: {amount(done, self.unit)}"]
        parts[0] += f"/{amount(self.total, self.unit)}" if self.total else ""
        parts[0] += "" if self.unit == "B" else f" {self.unit}"
        first, began = self.warm if done > self.warm[0] else self.begin
        rate = (done - first) / (now - began) if now > began else 0.0
        if rate > 0:
            parts.append(f"{amount(rate, self.unit)}/s")
            parts += [f"{(self.total - done) / rate:,.0f} s left"] if self.total else []
        return ", ".join([*parts, self.note] if self.note else parts)


class Lines(Progress):
    """A line now and then for each task, for a log or a pipe."""

    @contextmanager
    def task(self, name: str, total: Amount | None, unit: str, done: Amount) -> Iterator[Task]:
        yield Line(name, total, unit, done)

    def message(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class JsonLine(Task):
    """A JSON object on stderr for the beginning of a task, once a second, and for its end."""

    def __init__(self, name: str, total: Amount | None, unit: str, done: Amount) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.note, self.last = done, "", 0.0
        self.write()

    def update(self, done: Amount, note: str = "", total: Amount | None = None) -> None:
        self.done, self.note = done, note or self.note
        self.total = self.total if total is None else total
        if time.monotonic() - self.last >= 1.0:
            self.write()

    def write(self) -> None:
        self.last = time.monotonic()
        _print_json(task=self.name, done=self.done, total=self.total, unit=self.unit, note=self.note)


class JsonLines(Progress):
    """Tasks and messages as JSON objects, one a line, on stderr: for a program that looks on."""

    @contextmanager
    def task(self, name: str, total: Amount | None, unit: str, done: Amount) -> Iterator[Task]:
        line = JsonLine(name, total, unit, done)
        yield line
        line.write()

    def message(self, text: str) -> None:
        _print_json(message=text)


def _print_json(**facts: str | Amount | None) -> None:
    print(json.dumps({"time": round(time.time(), 2), **facts}), file=sys.stderr, flush=True)


_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextmanager
def use(progress: Progress) -> Iterator[None]:
    """Inside the `with`, tasks and messages go to this one."""
    before = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(before)


def task(name: str, total: Amount | None = None, unit: str = "steps", done: Amount = 0) -> AbstractContextManager[Task]:
    """A piece of work for the time of a `with`; what it gives is told by `update` how much is done. "B" are bytes."""
    return current().task(printable(name), total, unit, done)


def message(text: str) -> None:
    """A line for the person who waits."""
    current().message(printable(text))


CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal obeys or cannot show: controls but TAB and line feed, turns of direction, halves of a pair."""


def printable(text: str) -> str:
    """The text with control characters written as escapes: names of files and units are shown, and do nothing."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def canvas() -> Canvas:
    """A place for a picture that changes, such as the preview of a training; in a notebook it is shown."""
    return current().canvas()


def current() -> Progress:
    """What was put in place by `use`; without it bars where somebody looks on, else nothing."""
    progress = _progress.get()
    if progress is not None:
        return progress
    off = os.environ.get("UNWEAVE_PROGRESS", "").lower() in ("off", "0", "false", "no")
    return Bars() if not off and is_watched() else Progress()


def shown() -> Progress:
    """Bars where somebody looks on, lines elsewhere, JSON with UNWEAVE_PROGRESS=json: of a command, and of whoever asks
    for it."""
    if os.environ.get("UNWEAVE_PROGRESS", "").lower() == "json":
        return JsonLines()
    return Bars() if is_watched() else Lines()


def is_silent() -> bool:
    """Whether nobody hears what is told here."""
    return type(current()) is Progress


def is_watched() -> bool:
    """Whether stderr is a terminal, or this process the kernel of a notebook."""
    try:
        terminal = sys.stderr is not None and sys.stderr.isatty()
    except (AttributeError, ValueError):  # a stream of another kind, or a closed one
        terminal = False
    return terminal or is_notebook()


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return "ipykernel" in sys.modules and "IPython" in sys.modules


def amount(number: Amount, unit: str) -> str:
    """A number for people: "2,000", "0.5", and of bytes "812 bytes", "3.4 MB", "1.25 GB"."""
    if unit != "B":
        return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"
    if number < 1_000:
        return f"{number:.0f} bytes"
    if number < 1_000_000:
        return f"{number / 1e3:.1f} kB"
    return f"{number / 1e6:.1f} MB" if number < 1_000_000_000 else f"{number / 1e9:.2f} GB"
