"""training.threads=auto: one thread or all, timed at the start and where training has become slow.

The number of threads is part of what a run computes, bit by bit, because sums over parts of a tensor are rounded in
another order. So every choice is written into run.json with the images that were seen then; a run that is resumed takes
the choices that are there, at the same images, and times only what comes after them.
"""

import logging
from typing import Any, NamedTuple

import torch

from unweave import progress
from unweave.method import Batch
from unweave.runs.run import Run
from unweave.threads import time_threads
from unweave.training import loop, record
from unweave.training.batches import first_batch
from unweave.training.probing import forward_backward, unchanged
from unweave.training.trainer import Callback, Trainer

logger = logging.getLogger("unweave")

IMAGES = 32
"""Of a batch, as many are timed at most."""


class Choice(NamedTuple):
    """From so many images on, so many threads."""

    seen: int
    threads: int


class RateWatch:
    """Whether the rate has been below `share` of its best for `patience` seconds."""

    def __init__(self, share: float = 0.5, patience: float = 10.0, window: float = 1.0) -> None:
        self.share, self.patience, self.window = share, patience, window
        self.images, self.seconds, self.best, self.slow = 0, 0.0, 0.0, 0.0

    def is_slow(self, images: int, seconds: float) -> bool:
        """So many more images took so long; once it is slow, the watch begins anew."""
        self.images, self.seconds = self.images + images, self.seconds + seconds
        if self.seconds < self.window:
            return False
        rate = self.images / self.seconds
        self.best = max(self.best, rate)
        self.slow = self.slow + self.seconds if rate < self.share * self.best else 0.0
        self.images, self.seconds = 0, 0.0
        if self.slow < self.patience:
            return False
        self.best = self.slow = 0.0
        return True


class ChooseThreads(Callback):
    """Sets the number of threads of a training on the CPU, in one process; several keep what each was started with."""

    def __init__(self) -> None:
        self.most = torch.get_num_threads()  # what the machine, or who started this process, has for us
        self.choices: list[Choice] = []
        self.watch = RateWatch()

    def on_train_begin(self, trainer: Trainer) -> None:
        asked = trainer.settings.threads
        if asked != "auto":
            torch.set_num_threads(asked)
            return
        if not is_chosen(trainer) or self.most == 1:
            return
        self.choices = stored_choices(trainer.run)
        current = self.at(trainer.seen)
        if current is None or current > self.most:  # of a machine with more cores
            current = self.time(trainer)
        torch.set_num_threads(current)

    def after_step(self, trainer: Trainer, step: loop.Step, before: int) -> None:
        if not self.choices:
            return
        current = self.at(step.seen)
        if current is not None and current != torch.get_num_threads() and current <= self.most:
            torch.set_num_threads(current)
            self.watch = RateWatch()
        elif self.watch.is_slow(step.seen - before, trainer.step_seconds):
            torch.set_num_threads(self.time(trainer))

    def at(self, seen: int) -> int | None:
        """The threads that were chosen for what follows so many images; None before the first choice."""
        return next((choice.threads for choice in reversed(self.choices) if choice.seen <= seen), None)

    def time(self, trainer: Trainer) -> int:
        """The faster number for what comes now, which is written down; choices after it are forgotten."""
        batch = first_batch(trainer.dataset, trainer.settings.seed, trainer.settings.batch, trainer.device, (0, 1))
        few = Batch(batch.images[:IMAGES], batch.index[:IMAGES], trainer.seen)
        players, accelerator = trainer.state.players, trainer.accelerator
        precision = trainer.settings.precision.replace("auto", "float32")
        with unchanged(players):
            seconds = time_threads(
                lambda: forward_backward(players, few, precision, accelerator), (1, self.most), seconds=0.5
            )
        chosen = min((self.most, 1), key=lambda count: seconds[count])
        self.choices = [choice for choice in self.choices if choice.seen < trainer.seen]
        self.choices.append(Choice(trainer.seen, chosen))
        store_choices(trainer.run, self.choices)
        rates = ", ".join(f"{count}: {len(few.images) / each:.0f}" for count, each in seconds.items())
        progress.message(f"threads: {chosen} from {trainer.seen:,} images on (images/s without the optimiser, {rates})")
        return chosen


def is_chosen(trainer: Trainer) -> bool:
    """Whether the number of threads is a matter of choice: on a GPU, of one process among several, and of a method
    that takes no steps, it is not."""
    return trainer.device.type == "cpu" and trainer.accelerator.num_processes == 1 and bool(trainer.state.players)


def stored_choices(run: Run) -> list[Choice]:
    """The choices of this run so far."""
    return [Choice(**choice) for choice in run.record().get("thread_choices", [])]


def store_choices(run: Run, choices: list[Choice]) -> None:
    values: list[dict[str, Any]] = [choice._asdict() for choice in choices]
    record.add(run, thread_choices=values)
