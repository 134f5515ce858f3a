"""Pages that say how a training goes, from two minutes on, where its report will be."""

import time
import webbrowser
from pathlib import Path

from unweave import progress
from unweave.evaluation.report.first_look import TrainingSoFar, UnitLook, render_look, strongest_units
from unweave.evaluation.report.report import set_aside
from unweave.files import write_atomically
from unweave.method import Method
from unweave.training.loop import Step
from unweave.training.trainer import Callback, Trainer

FIRST = 120.0  # seconds of training before the first page
AGAIN = 60.0  # seconds between two, at least
SHARE = 20.0  # times as long as drawing one took


class FirstLooks(Callback):
    """Draws a page after two minutes, and better ones until the end; the first is opened in the browser, if asked."""

    def __init__(self, page: Path | None, opens: bool) -> None:
        self.page, self.opens, self.opened = page, opens, False
        self.due, self.looks = 0.0, list[UnitLook]()
        self.began = (0.0, 0)  # seconds, images seen

    def on_train_begin(self, trainer: Trainer) -> None:
        self.began, self.due = (time.monotonic(), trainer.seen), time.monotonic() + FIRST

    def after_step(self, trainer: Trainer, step: Step, before: int) -> None:
        if not trainer.is_main or time.monotonic() < self.due or not isinstance(trainer.state.method, Method):
            return
        start = time.monotonic()
        with trainer.state.average.applied():
            self.looks = strongest_units(trainer.state.method, trainer.dataset)
        rate = (step.seen - self.began[1]) / (start - self.began[0])
        self.write(trainer, (trainer.settings.images - step.seen) / rate / 60)
        self.due = time.monotonic() + max(AGAIN, SHARE * (time.monotonic() - start))

    def on_train_end(self, trainer: Trainer) -> None:
        if self.looks:
            self.write(trainer, None)

    def write(self, trainer: Trainer, minutes_left: float | None) -> None:
        """The page with the newest pictures. A report that is there already is kept under another name."""
        page = self.page or trainer.run.path / "report.html"
        state = TrainingSoFar(
            trainer.run.path, trainer.run.method_name, trainer.seen, trainer.settings.images, minutes_left
        )
        if not self.opened:
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
