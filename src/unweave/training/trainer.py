"""The steps of one run from a checkpoint on: logs, checkpoints and pictures around the loop."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from PIL.Image import Image

from unweave.data import sampling
from unweave.data.dataset import Dataset
from unweave.editing import verbs
from unweave.figures.grid import tiles
from unweave.figures.save import save_picture
from unweave.method import Generative, Method, Pretraining, Sampling, evaluating
from unweave.models.foundation import Foundation
from unweave.progress import Progress
from unweave.runs import hub, log, reduction
from unweave.runs.codes import encode_rows
from unweave.runs.run import Run, Statistics, write_statistics, write_text
from unweave.runs.settings import TrainingSettings
from unweave.runs.units import choices
from unweave.tensors import to_images
from unweave.training import loop
from unweave.training.batches import Waited, batches
from unweave.training.state import TrainingState, random_states, save

PREVIEW = Sampling("dpmsolver++", 10)
EXPLODED = 1_000.0
"""A term this many times larger than the largest term of the first record (or than 1) has exploded."""


class Session:
    """One process's share of the work; with several, all step and only the main one logs, saves and draws."""

    def __init__(
        self,
        run: Run,
        state: TrainingState,
        dataset: Dataset,
        foundation: Foundation,
        begun: dict[str, Any],
        report: Progress,
        accelerator: Accelerator,
    ) -> None:
        self.run, self.state, self.dataset, self.report = run, state, dataset, report
        self.foundation, self.accelerator = foundation, accelerator
        self.seen, self.steps = int(begun["seen"]), int(begun["steps"])
        self.began = time.monotonic() - begun["seconds"]
        self.first = next(iter(run.history()), {})
        self.interrupted = False

    def interrupt(self) -> None:
        """Stop after this step (several processes: within ten); asked again, leave without saving."""
        if self.interrupted:
            sys.exit(130)
        self.interrupted = True

    def carry_on(self, settings: TrainingSettings) -> None:
        """Train to the end of the budget; an interrupt lets the step end, saves, and goes on as KeyboardInterrupt."""
        first = self.steps
        try:
            with _interrupts_wait(self.interrupt):
                waiting = self.follow(settings)
        except KeyboardInterrupt:
            self.report.end()
            if self.steps > first:
                self.save()
                self.finish()
            self.report.say(f"saved at {self.seen:,} images; go on with: unweave train {self.run.path} --resume")
            raise
        finally:
            self.report.end()
        self.save()
        self.finish()
        if self.accelerator.is_main_process:
            close(self.run, time.monotonic() - self.began, self.seen, waiting)
        self.accelerator.wait_for_everyone()

    def follow(self, settings: TrainingSettings) -> float:
        """Average, log, save and draw after each step of the loop; the share of the time that it waited for images."""
        state, images, accelerator = self.state, settings.images, self.accelerator
        every = max(1, images // settings.batch // 200)
        window: list[dict[str, torch.Tensor]] = []
        state.method.train()
        self.report.begin(self.seen, images)
        share = (accelerator.process_index, accelerator.num_processes)
        stream = Waited(
            batches(self.dataset, settings.seed, settings.batch, self.seen, images, accelerator.device, share)
        )
        for step in loop.train(state.players, stream, state.optimisers, settings, accelerator, state.rng):
            state.average.step()
            before, self.seen, self.steps = self.seen, step.seen, self.steps + 1
            window.append(step.terms)
            terms = None
            saves = crossed(before, self.seen, settings.save) and self.seen < images
            records = self.steps % every == 0 or self.seen == images or saves
            together = records or self.steps % 10 == 0
            stops = self.stops(together)
            if records or stops:
                terms, window = self.note(window), []
            self.report.step(self.seen, terms)
            if stops or self.stops(together):
                raise KeyboardInterrupt
            if saves:
                self.save()
            if crossed(before, self.seen, settings.preview) or self.seen == images:
                self.preview()
        return stream.share()

    def stops(self, together: bool) -> bool:
        """Whether to stop after this step; several processes decide together, where all of them ask."""
        if self.accelerator.num_processes == 1:
            return self.interrupted
        if not together:
            return False
        flag = torch.tensor([float(self.interrupted)], device=self.accelerator.device)
        total = self.accelerator.reduce(flag, "sum")
        assert isinstance(total, torch.Tensor)
        return bool(total.item() > 0)

    def note(self, window: list[dict[str, torch.Tensor]]) -> dict[str, float]:
        """Log the mean of each term since the last record, over all processes.

        Raises FloatingPointError, naming the term, where one is not finite or has exploded.
        """
        means = torch.stack([torch.stack([terms[name].float() for terms in window]).mean() for name in window[0]])
        reduced = self.accelerator.reduce(means, "mean")
        assert isinstance(reduced, torch.Tensor)
        terms = dict(zip(window[0], reduced.tolist()))
        first = self.first or terms
        largest = max([1.0, *(abs(first[name]) for name in terms if name in first)])
        for name, value in terms.items():
            began = first.get(name, value)
            if not isfinite(value) or abs(value) > EXPLODED * largest:
                what = f"is {value}" if not isfinite(value) else f"has exploded from {began:.4g} to {value:.4g}"
                raise FloatingPointError(
                    f"the term {name} {what} after {self.seen:,} images; the last checkpoint is kept. "
                    "Lower training.rate, or set training.clip=1."
                )
        record = {"seen": self.seen, "seconds": round(time.monotonic() - self.began, 2), **terms}
        self.first = self.first or record
        if self.accelerator.is_main_process:
            log.append(self.run.log, record)
            self.accelerator.log(terms, step=self.seen)
        return terms

    def save(self) -> None:
        """Write a checkpoint of the present state. Raises FloatingPointError where a weight is no longer a number."""
        for name, tensor in self.state.method.state_dict().items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise FloatingPointError(
                    f"the weights {name} are no longer finite after {self.seen:,} images; the last checkpoint is kept. "
                    "Lower training.rate, or set training.clip=1."
                )
        generators = [random_states(self.state.rng)]
        if self.accelerator.num_processes > 1:
            generators = gather_object(generators)
        if self.accelerator.is_main_process:
            note = {"seconds": time.monotonic() - self.began, "foundation": self.foundation.record()}
            folder = self.run.path / "checkpoints"
            save(folder, self.state, self.seen, self.steps, note, generators)
        self.accelerator.wait_for_everyone()

    def preview(self) -> None:
        """A picture of reconstructions and swaps (of what a foundation makes) with the averaged weights."""
        if not self.accelerator.is_main_process:
            return
        with self.state.average.applied():
            picture = self.picture()
        if picture is not None:
            path = self.run.pictures / f"preview-{self.seen:09d}.png"
            save_picture(picture, path, overwrite=True)
            self.report.say(f"picture: {path}")

    def picture(self) -> Image | None:
        """What there is to see of the present weights; random numbers of its own. None where it is nothing."""
        method = self.state.method
        rows = sampling.rows_for(len(self.dataset), 6 if isinstance(method, Generative) else 24, seed=0)
        images = to_images(self.dataset.images(rows), next(method.parameters()).device)
        half = len(rows) // 2
        if isinstance(method, Generative) and half > 0:
            taken = choices(method, images, None, {})
            return verbs.swap_table(
                method, images[:half], images[half : 2 * half], taken, sampling=PREVIEW, seed=0
            ).picture
        if isinstance(method, Pretraining):
            with evaluating(method):
                made = method.preview(images, torch.Generator().manual_seed(0))
            return tiles(made, [""] * len(made), columns=8, title=f"{self.run.method_name}, {self.seen:,} images")
        return None

    def finish(self) -> None:
        """What a run stores besides its checkpoint, once training rests."""
        if self.accelerator.is_main_process:
            finish(self.run, self.dataset)
        self.accelerator.wait_for_everyone()


def finish(run: Run, dataset: Dataset) -> None:
    """Store the range of every unit of the newest checkpoint, so that traversals need no data, and its parts.

    A foundation is exported instead, with what it measures on 1,000 images.
    """
    trained = run.trained("averaged")
    if isinstance(trained, Pretraining):
        rows = sampling.rows_for(len(dataset), 1_000, seed=0)
        images = to_images(dataset.images(rows), next(trained.parameters()).device)
        with evaluating(trained):
            run.place_parts(lambda folder: trained.export(images, folder))
        return
    assert isinstance(trained, Method)
    codes = encode_rows(trained, dataset, sampling.rows_for(len(dataset), 2_000, seed=0))
    fitted = reduction.fit(codes)
    quantiles = np.quantile(reduction.apply(fitted, codes), np.linspace(0, 1, 101), axis=0)
    run.place_parts(lambda folder: hub.write_parts(trained, folder))
    write_statistics(run.path, Statistics(fitted, quantiles))  # last: where they are, everything is


def close(run: Run, seconds: float, images: int, waiting: float | None = None) -> None:
    """Note in run.json that training has ended; `waiting` is the share of its last part that it waited for images."""
    note: dict[str, Any] = {"finished": now(), "seconds": round(seconds, 1), "images": images}
    if waiting is not None:
        note["waiting_for_data"] = round(waiting, 5)
    write_text(run.path / "run.json", json.dumps({**run.record(), **note}, indent=2))


@contextmanager
def _interrupts_wait(then: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls `then` inside the `with`, so that no step is cut in two; only the main thread has signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: then())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def crossed(before: int, after: int, every: int) -> bool:
    """Whether a multiple of `every` lies in (before, after]."""
    return before // every < after // every


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
