"""A method and the foundations that it is trained on as one piece of work: one progress, one time left.

What an image costs in each stage is timed before the first one begins, on untrained stand-ins of the foundations; as
stages go on, what they really take corrects it.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from unweave import progress
from unweave.data.open import open_data
from unweave.progress import Amount, Canvas, Progress, Task
from unweave.runs import checkpoint
from unweave.runs.plan import plan
from unweave.runs.settings import RunSettings
from unweave.training import recipes
from unweave.training.experiment import Experiment
from unweave.training.prepare import prepare
from unweave.training.step_time import on_stand_ins, seconds_per_image

logger = logging.getLogger("unweave")

LEAST = 4_000
"""Images of all stages; fewer are trained sooner than a step is timed, and each stage has its own progress."""
SETTLED = 2.0
"""Seconds after which the rate of a stage is believed."""


class Planned(NamedTuple):
    """A training that is to come."""

    name: str
    settings: RunSettings
    seen: int  # images, where it goes on


class Stage(NamedTuple):
    """One training of a chain."""

    name: str
    images: int
    seen: int  # before it begins here
    cost: float  # seconds an image, as timed before


@contextmanager
def joined(experiment: Experiment) -> Iterator[None]:
    """Inside the `with`, the trainings that the experiment still needs are one task, where they follow each other in
    this process and somebody looks on. Raises what `recipes.missing` raises."""
    inner = progress.current()
    if isinstance(inner, Chain) or progress.is_silent() or experiment.is_begun():
        yield
        return
    settings = experiment.settings
    planned = [*missing_trainings(settings).values(), Planned(settings.method.name, settings, 0)]
    images = sum(each.settings.training.images for each in planned)
    several = "WORLD_SIZE" in os.environ or any(each.settings.training.processes > 1 for each in planned)
    if len(planned) == 1 or several or images < LEAST:
        yield
        return
    open_data(settings.data)  # files are read once, with a progress of their own
    stages = timed(planned, experiment.run_dir.parent)
    with inner.task("training", 100, "%", 0) as task, progress.use(Chain(inner, task, stages)):
        yield


def missing_trainings(settings: RunSettings) -> dict[Path, Planned]:
    """The foundations that are to be trained for these settings, in their order, by run directory.

    One that was stopped between its last step and its end is none of them: it takes no step.
    """
    planned: dict[Path, Planned] = {}
    for recipe in recipes.missing(settings, allowed=True):
        own = plan(recipe.what, recipe.table)
        planned |= missing_trainings(own)
        seen = seen_before(recipe.run_dir)
        if seen < own.training.images:
            planned[recipe.run_dir] = Planned(recipe.kind, own, seen)
    return planned


def timed(planned: Sequence[Planned], place: Path) -> list[Stage]:
    """The stages with what an image costs in each; one that cannot be timed is taken to cost what the last one does.

    Stand-ins are written below `place`, where runs have room, and are gone afterwards.
    """
    stages: list[Stage] = []
    cost, threads = 1.0, torch.get_num_threads()
    progress.message(f"timing a step of {', '.join(each.name for each in planned)}, for one time left of all")
    place.mkdir(parents=True, exist_ok=True)
    try:
        for each in planned:
            temporary = tempfile.TemporaryDirectory(dir=place, prefix=".timing-", ignore_cleanup_errors=True)
            with progress.use(Progress()), temporary as folder:
                cost = _cost(each.settings, Path(folder)) or cost
            stages.append(Stage(each.name, each.settings.training.images, each.seen, cost))
    finally:
        torch.set_num_threads(threads)
    return stages


def _cost(settings: RunSettings, folder: Path) -> float | None:
    """Seconds of an image; None where that cannot be timed: what is wrong is said where it is trained."""
    try:
        trainer = prepare(Experiment(on_stand_ins(settings, folder), folder / "run"))
        with trainer.held:
            return seconds_per_image(trainer)
    except Exception as error:  # of any library: an estimate ends no training
        logger.debug("not timed: %s", error)
        return None


def seen_before(run_dir: Path) -> int:
    """Images that a run has seen which goes on."""
    newest = checkpoint.newest(run_dir / "checkpoints", lambda _: None)
    return 0 if newest is None else int(checkpoint.read(newest)["seen"])


class Chain(Progress):
    """Draws the trainings of a chain, one after the other, as one task in per cent of its time; all else as before."""

    def __init__(self, inner: Progress, whole: Task, stages: Sequence[Stage]) -> None:
        self.inner, self.whole, self.stages = inner, whole, stages
        self.began, self.number = time.monotonic(), -1
        self.slower = 1.0  # times that a stage takes what was timed before it; what follows will be so, too

    @contextmanager
    def _stage(self) -> Iterator[Task]:
        self.number = min(self.number + 1, len(self.stages) - 1)
        yield ChainTask(self)

    def task(self, name: str, total: Amount | None, unit: str, done: Amount) -> AbstractContextManager[Task]:
        return self._stage() if name == "training" else self.inner.task(name, total, unit, done)

    def message(self, text: str) -> None:
        self.inner.message(text)

    def canvas(self) -> Canvas:
        return self.inner.canvas()

    def update(self, seen: int, rate: float | None, note: str) -> None:
        """The stage that goes on has seen so many images, each in `rate` seconds if that is known."""
        stage, later = self.stages[self.number], self.stages[self.number + 1 :]
        if rate is not None:
            self.slower = rate / stage.cost
        left = stage.cost * (stage.images - seen) + sum(each.cost * (each.images - each.seen) for each in later)
        elapsed = time.monotonic() - self.began
        share = elapsed / (elapsed + self.slower * left) if elapsed > 0 else 0.0
        about = f"{self.number + 1} of {len(self.stages)}, {stage.name}: {seen:,}/{stage.images:,} images"
        self.whole.update(100 * share, f"{about}  {note}" if note else about)


class ChainTask(Task):
    """A training of a chain. Its rate is that of what follows the first step, which is slow."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.note = chain, ""
        self.first: tuple[int, float] | None = None

    def update(self, done: Amount, note: str = "", total: Amount | None = None) -> None:
        now, seen, self.note = time.monotonic(), int(done), note or self.note
        if self.first is None:
            self.first = seen, now
        first, began = self.first
        known = seen > first and now - began > SETTLED
        self.chain.update(seen, (now - began) / (seen - first) if known else None, self.note)
