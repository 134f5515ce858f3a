"""What a trainer does beside its steps: log, stop, save, draw, and store the range of the units."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
import torch
from PIL.Image import Image

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.editing import verbs
from unweave.figures.grid import grid, tiles
from unweave.figures.save import save_picture
from unweave.files import write_atomically
from unweave.method import Generative, Method, Pretraining, Previewing, Sampling, evaluating, find_method
from unweave.runs import hub, log, reduction
from unweave.runs.codes import encode_rows
from unweave.runs.run import Run, Statistics, statistics_file
from unweave.runs.units import group_facts, select_groups
from unweave.tensors import Images, to_images
from unweave.training import foundation_facts, record
from unweave.training.held_out import TIMES, held_out_rows, held_out_terms
from unweave.training.loop import Step
from unweave.training.trainer import Callback, Trainer
from unweave.types import Rows

logger = logging.getLogger("unweave")

PREVIEW = Sampling("dpmsolver++", 10)
MOST_UNITS = 24
"""Units in a preview, the first of them where there are more: a wider picture cannot be looked at."""
EXPLODED = 1_000.0
"""A term this many times larger than the largest term of the first record (or than 1) has exploded."""
RECORDS = 200
"""Records in the log of a whole training."""


def standard_callbacks() -> Sequence[Callback]:
    """What every training does, in this order: a checkpoint comes after the record of its step."""
    return [LogTerms(), SaveCheckpoints(), DrawFoundation(), DrawPreviews(), StoreStatistics()]


class LogTerms(Callback):
    """The mean of each term since the last record into log.jsonl and the tracker; and the way out of an interrupt.

    Raises FloatingPointError, naming the term, where one is not finite or has exploded.
    """

    def __init__(self) -> None:
        self.window: list[dict[str, torch.Tensor]] = []
        self.first: dict[str, float] = {}
        self.held_out: Rows = np.arange(0)

    def on_train_begin(self, trainer: Trainer) -> None:
        if find_method(trainer.run.method_name).labels is None:
            self.held_out = held_out_rows(trainer)

    def after_step(self, trainer: Trainer, step: Step, before: int) -> None:
        settings = trainer.settings
        self.window.append(step.terms)
        every = max(1, settings.images // settings.batch // RECORDS)
        saves = crossed(before, step.seen, settings.save) and step.seen < settings.images
        tests = len(self.held_out) > 0 and crossed(before, step.seen, max(1, settings.images // TIMES))
        records = trainer.steps % every == 0 or step.seen == settings.images or saves or tests
        together = records or trainer.steps % 10 == 0
        stops, note = trainer.stops(together), ""
        if records or stops:
            terms = self.record(trainer, held_out_terms(trainer, self.held_out) if tests else {})
            note = "  ".join(f"{name.split('/')[-1]} {value:.4f}" for name, value in terms.items())
        trainer.task.update(step.seen, note)
        if stops or trainer.stops(together):
            raise KeyboardInterrupt

    def record(self, trainer: Trainer, held_out: Mapping[str, float]) -> dict[str, float]:
        """Log the means over all processes, with what was held out, and begin anew."""
        window, self.window = self.window, []
        means = torch.stack([torch.stack([terms[name].float() for terms in window]).mean() for name in window[0]])
        reduced = trainer.accelerator.reduce(means, "mean")
        assert isinstance(reduced, torch.Tensor)
        terms = dict(zip(window[0], reduced.tolist()))
        self.first = self.first or next(iter(trainer.run.history()), terms)
        self.check(terms, trainer.seen)
        if trainer.is_main:
            seconds = round(trainer.seconds(), 2)
            log.append(trainer.run.log, {"seen": trainer.seen, "seconds": seconds, **terms, **held_out})
            trainer.accelerator.log({**terms, **held_out}, step=trainer.seen)
        return terms

    def check(self, terms: dict[str, float], seen: int) -> None:
        largest = max([1.0, *(abs(self.first[name]) for name in terms if name in self.first)])
        for name, value in terms.items():
            if isfinite(value) and abs(value) <= EXPLODED * largest:
                continue
            first = self.first.get(name, value)
            what = f"is {value}" if not isfinite(value) else f"has exploded from {first:.4g} to {value:.4g}"
            raise FloatingPointError(
                f"the term {name} {what} after {seen:,} images; the last checkpoint is kept. "
                "Lower training.rate, or set training.clip=1."
            )


class SaveCheckpoints(Callback):
    """A checkpoint every `training.save` images; the last one is the trainer's."""

    def after_step(self, trainer: Trainer, step: Step, before: int) -> None:
        if crossed(before, step.seen, trainer.settings.save) and step.seen < trainer.settings.images:
            trainer.save()


class DrawFoundation(Callback):
    """The error of the frozen denoiser by time, as a picture and in the run's record; a warning where it sees nothing.

    foundation-error.png, before the first step.
    """

    def on_train_begin(self, trainer: Trainer) -> None:
        curve = trainer.foundation.error
        if curve is None or not trainer.is_main or trainer.seen > 0:
            return
        path = trainer.run.pictures / "foundation-error.png"
        save_picture(foundation_facts.picture(curve), path, overwrite=True)
        progress.message(f"picture: {path}")
        record.add(trainer.run, foundation_error=curve._replace(components=())._asdict())
        if (warning := foundation_facts.warning(trainer.foundation)) is not None:
            logger.warning(warning)


class DrawPreviews(Callback):
    """Pictures of reconstructions and swaps (of what a foundation makes) with the averaged weights.

    Without a decoder, what the method has to show (`Previewing`), before the first step already. A notebook shows the
    newest one.
    """

    def __init__(self) -> None:
        self.canvas: progress.Canvas | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        if trainer.is_main and trainer.seen == 0 and isinstance(trainer.state.method, Previewing):
            self.draw(trainer)

    def after_step(self, trainer: Trainer, step: Step, before: int) -> None:
        due = crossed(before, step.seen, trainer.settings.preview) or step.seen == trainer.settings.images
        if due and trainer.is_main:
            self.draw(trainer)

    def draw(self, trainer: Trainer) -> None:
        with trainer.state.average.applied():
            picture = preview(trainer)
        if picture is not None:
            path = trainer.run.pictures / f"preview-{trainer.seen:09d}.png"
            save_picture(picture, path, overwrite=True)
            progress.message(f"picture: {path}")
            self.canvas = self.canvas or progress.canvas()
            self.canvas.show(picture)


def preview(trainer: Trainer) -> Image | None:
    """What there is to see of the present weights; random numbers of its own. None where it is nothing."""
    method, dataset = trainer.state.method, trainer.dataset
    rows = sample_rows(len(dataset), 6 if isinstance(method, Generative) else 24, seed=0)
    images = to_images(dataset.images(rows), next(method.parameters()).device)
    half = len(rows) // 2
    if isinstance(method, Generative) and half > 0:
        units = select_groups(method, images, None, {})[:MOST_UNITS]
        partners = images[half : 2 * half]
        return verbs.swap_images(method, images[:half], partners, units, sampling=PREVIEW, seed=0).figure()
    if isinstance(method, Pretraining):
        with evaluating(method):
            samples = method.preview(images, torch.Generator().manual_seed(0))
        title = f"{trainer.run.method_name}, {trainer.seen:,} images"
        return tiles(samples, [""] * len(samples), columns=8, title=title)
    if isinstance(method, Previewing):
        return show_columns(method, images[:8], f"{trainer.run.method_name}, {trainer.seen:,} images")
    return None


def show_columns(method: Previewing, images: Images, title: str) -> Image:
    """The pictures of `Previewing.preview` in a grid."""
    with evaluating(method):
        columns = method.preview(images, torch.Generator().manual_seed(0))
    rows = torch.stack(list(columns.values()), 1)  # (image, column, channel, height, width)
    return grid(list(rows), column_labels=list(columns), title=title)


class StoreStatistics(Callback):
    """What a run stores besides its checkpoint, once training rests."""

    def on_train_end(self, trainer: Trainer) -> None:
        if trainer.is_main:
            store_statistics(trainer.run, trainer.dataset)


def store_statistics(run: Run, dataset: Dataset) -> None:
    """Store the range of every unit of the newest checkpoint, so that traversals need no data, and its parts.

    A foundation is exported instead, with what it measures on 1,000 images.
    """
    trained = run.trained("averaged")
    if isinstance(trained, Pretraining):
        rows = sample_rows(len(dataset), 1_000, seed=0)
        images = to_images(dataset.images(rows), next(trained.parameters()).device)
        with evaluating(trained):
            run.install_parts(lambda folder: trained.export(images, folder))
        return
    assert isinstance(trained, Method)
    codes = encode_rows(trained, dataset, sample_rows(len(dataset), 2_000, seed=0))
    fitted = reduction.fit(codes)
    units = reduction.apply(fitted, codes)
    quantiles = np.quantile(units, np.linspace(0, 1, 101), axis=0)
    values = {unit: few for unit, column in enumerate(units.T) if (few := reduction.few_values(column)) is not None}
    run.install_parts(lambda folder: hub.write_parts(trained, folder))
    content = statistics_file(Statistics(fitted, quantiles, values))
    record.add(
        run,
        decodes=isinstance(trained, Generative),
        units_sha256=hashlib.sha256(content).hexdigest(),
        **group_facts(trained.unit_groups),
    )
    write_atomically(run.path / "units.safetensors", content)  # last: where they are, everything is


def crossed(before: int, after: int, every: int) -> bool:
    """Whether a multiple of `every` lies in (before, after]."""
    return before // every < after // every
