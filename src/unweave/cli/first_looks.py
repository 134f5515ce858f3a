"""Pages that say how a training goes, from two minutes on, where its report will be."""

import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unweave import progress
from unweave.evaluation.report.first_look import (
    TrainingSoFar,
    UnitLook,
    is_first_look,
    render_look,
    strongest_units,
)
from unweave.evaluation.report.report import set_aside
from unweave.files import write_atomically
from unweave.method import Method
from unweave.runs.lock import one_writer
from unweave.training.loop import Step
from unweave.training.trainer import Callback, Trainer

FIRST = 120.0  # seconds of training before the first page
AGAIN = 60.0  # seconds between two, at least
SHARE = 20.0  # times as long as drawing one took


class FirstLooks(Callback):
    """Draws a page after two minutes, and better ones until the end; the first is opened in the browser, if asked.

    What goes wrong with a page does not end the training: it is said, and no more are drawn.
    """

    def __init__(self, page: Path | None, opens: bool) -> None:
        self.page, self.opens, self.opened = page, opens, False
        self.due, self.looks, self.failed = 0.0, list[UnitLook](), False
        self.began = (0.0, 0)  # seconds, images seen

    def on_train_begin(self, trainer: Trainer) -> None:
        self.began, self.due = (time.monotonic(), trainer.seen), time.monotonic() + FIRST

    def after_step(self, trainer: Trainer, step: Step, before: int) -> None:
        method, start = trainer.state.method, time.monotonic()
        if self.failed or not trainer.is_main or start < self.due or not isinstance(method, Method):
            return
        with self.harmless():
            with trainer.state.average.applied():
                self.looks = strongest_units(method, trainer.dataset)
            rate = (step.seen - self.began[1]) / (start - self.began[0])
            self.write(trainer, (trainer.settings.images - step.seen) / rate / 60)
        self.due = time.monotonic() + max(AGAIN, SHARE * (time.monotonic() - start))

    def on_train_end(self, trainer: Trainer) -> None:
        if self.looks and not self.failed:
            with self.harmless():
                self.write(trainer, None)

    @contextmanager
    def harmless(self) -> Iterator[None]:
        """An error inside the `with` is said, and is the last one."""
        try:
            yield
        except Exception as error:  # memory, codes that are not finite, a disk: the training may go on
            self.failed = True
            progress.message(f"no first look is drawn, and the training goes on: {str(error) or type(error).__name__}")

    def write(self, trainer: Trainer, minutes_left: float | None) -> None:
        """The page with the newest pictures. A report that is there already is kept under another name."""
        page = self.page or trainer.run.path / "report.html"
        state = TrainingSoFar(
            trainer.run.path, trainer.run.method_name, trainer.seen, trainer.settings.images, minutes_left
        )
        with one_writer(trainer.run.path):
            if not is_first_look(page):
                set_aside(page)
            write_atomically(page, render_look(state, self.looks))
        if not self.opened:
            progress.message(f"a first look, which gets better until the end: {page}")
            show_page(page, self.opens)
            self.opened = True


def show_page(page: Path, opens: bool) -> None:
    """Open a page in the browser, if asked; a machine without one says so."""
    if opens and not webbrowser.open(page.resolve().as_uri()):
        progress.message(f"there is no browser here: open {page} yourself")
