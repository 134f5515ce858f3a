"""One experiment: the only place where names, settings, data, a method and the loop meet.

The path from the command to a loss is cli/train -> experiment.train -> training/loop.train -> the method's forward.
"""

import json
import platform
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator

from unweave import edits
from unweave.data import open as data_open
from unweave.dataset import Dataset
from unweave.evaluation import cache, reduce
from unweave.evaluation.represent import represent
from unweave.figures import file
from unweave.foundation import Foundation
from unweave.method import Generative, Method, Sampling
from unweave.planning import default_place, differing, plan
from unweave.progress import Progress
from unweave.run import Run, Settings, Statistics, build_method, create, write_statistics, write_text
from unweave.settings import SettingsError
from unweave.shapes import to_images
from unweave.training import checkpoint, log, loop
from unweave.training.batches import batches
from unweave.training.ema import Average
from unweave.training.precision import choose

PREVIEW = Sampling("dpmsolver++", 10)


def train(
    what: str | Path,
    *tables: Mapping[str, Any],
    data: str | Path | Mapping[str, Any] | None = None,
    method: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    preset: str | None = None,
    run: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Train a method on images without labels, and return its run.

    `what` is the name of a method, a TOML file, or (with `resume`) a run directory. The tables change single settings:
    `train("encdiff", data="rooms", training={"images": 50_000})`. With `resume` a run that is there already goes on
    from its last checkpoint, and a finished one is returned as it is. Raises FileExistsError where `run` has content
    and neither `resume` nor `overwrite` is given, SettingsError for settings that cannot be used, and
    FloatingPointError where a loss is no longer a number. KeyboardInterrupt leaves a checkpoint behind.
    """
    named = {"data": data, "method": method, "training": training, "preset": preset}
    changes = [*tables, {key: value for key, value in named.items() if value is not None}]
    if resume and overwrite:
        raise SettingsError("--resume goes on with a run and --overwrite discards it: give one of them.")
    if Path(what).is_dir() or (len(Path(what).parts) > 1 and not str(what).endswith(".toml")):
        opened = Run(what)
        if not resume:
            raise SettingsError(f"{what} is a run: go on with it by --resume.")
        if any(changes) or run is not None:
            raise SettingsError(f"{what} is a run with settings and a place of its own, which a resumed run keeps.")
        ready = _ready(opened.settings)
    else:
        settings = plan(what, *changes)
        ready = _ready(settings)
        place = Path(run) if run is not None else default_place(settings, resume)
        opened = _place(place, settings, resume, overwrite)
    _carry_out(opened, ready, progress or Progress())
    return opened


class Ready(NamedTuple):
    """What settings name, opened and built: all that can be wrong with them is known before a run is made."""

    dataset: Dataset
    foundation: Foundation
    method: Method


def _ready(settings: Settings) -> Ready:
    if settings.training.threads is not None:
        torch.set_num_threads(settings.training.threads)
    torch.manual_seed(settings.training.seed)
    dataset = data_open.build(settings.data)
    foundation = Foundation(dataset.shape, len(dataset))
    return Ready(dataset, foundation, build_method(settings, foundation))


def _place(place: Path, settings: Settings, resume: bool, overwrite: bool) -> Run:
    """The run directory of an experiment: new, or one of the same settings to go on with."""
    there = (place / "settings.toml").is_file()
    if overwrite and place.exists():
        if not there:
            raise FileExistsError(f"{place} is not a run, so --overwrite leaves it alone: choose another --run.")
        shutil.rmtree(place)
    elif resume and there:
        opened = Run(place)
        differ = differing(opened.settings, settings)
        if differ:
            raise SettingsError(
                f"{place} was trained with other settings ({', '.join(differ)}): "
                f"go on as it is with `unweave train {place} --resume`, choose another --run, or --overwrite it."
            )
        return opened
    return create(place, settings)


def _carry_out(run: Run, ready: Ready, report: Progress) -> None:
    settings = run.settings.training
    accelerator = Accelerator()
    method = ready.method.to(accelerator.device)
    if settings.compile:
        for child in method.children():
            child.compile()
    players = [player._replace(module=accelerator.prepare(player.module)) for player in method.players()]
    state = checkpoint.State(
        method,
        players,
        loop.optimisers(players, settings),
        Average(method, settings.average),
        torch.Generator().manual_seed(settings.seed),
    )
    found = checkpoint.complete(run.path / "checkpoints")
    begun: dict[str, Any] = {"seen": 0, "steps": 0, "seconds": 0.0}
    if found:
        begun = checkpoint.load(found[-1], state)
    if begun["seen"] >= settings.images:
        report.say(f"{run.path} is trained already ({begun['seen']:,} images).")
        if not run.has_statistics():
            finish(run, ready.dataset)
        return
    report.say(f"run: {run.path}")
    run.forget_statistics()
    log.truncate(run.log, begun["seen"])
    precision = _precision(run, state, ready.dataset, accelerator, report)
    _describe(run, precision, accelerator, begun["seen"], ready.dataset)
    Session(run, state, ready.dataset, ready.foundation, begun, report).carry_on(
        settings.model_copy(update={"precision": precision}), accelerator
    )


class Session:
    """The steps of one run from a checkpoint on: logs, checkpoints and pictures around the loop."""

    def __init__(
        self,
        run: Run,
        state: checkpoint.State,
        dataset: Dataset,
        foundation: Foundation,
        begun: dict[str, Any],
        report: Progress,
    ) -> None:
        self.run, self.state, self.dataset, self.report = run, state, dataset, report
        self.foundation = foundation
        self.seen, self.steps = int(begun["seen"]), int(begun["steps"])
        self.began = time.monotonic() - begun["seconds"]
        self.interrupted = False

    def interrupt(self) -> None:
        """Stop after the step that is being taken."""
        self.interrupted = True

    def carry_on(self, settings: loop.Settings, accelerator: Accelerator) -> None:
        """Train to the end of the budget; an interrupt lets the step end, saves, and goes on as KeyboardInterrupt."""
        first = self.steps
        try:
            with _interrupts_wait(self.interrupt):
                self.follow(settings, accelerator)
        except KeyboardInterrupt:
            self.report.end()
            if self.steps > first:
                self.save()
                finish(self.run, self.dataset)
            self.report.say(f"saved at {self.seen:,} images; go on with: unweave train {self.run.path} --resume")
            raise
        finally:
            self.report.end()
        self.save()
        finish(self.run, self.dataset)
        note = {"finished": _now(), "seconds": round(time.monotonic() - self.began, 1), "images": self.seen}
        write_text(self.run.path / "run.json", json.dumps({**self.run.record(), **note}, indent=2))

    def follow(self, settings: loop.Settings, accelerator: Accelerator) -> None:
        """Average, log, save and draw after each step of the loop."""
        state, images = self.state, settings.images
        every = max(1, images // settings.batch // 200)
        window: list[dict[str, torch.Tensor]] = []
        state.method.train()
        self.report.begin(self.seen, images)
        stream = batches(self.dataset, settings.seed, settings.batch, self.seen, images, accelerator.device)
        for step in loop.train(state.players, stream, state.optimisers, settings, accelerator, state.rng):
            state.average.step()
            before, self.seen, self.steps = self.seen, step.seen, self.steps + 1
            window.append(step.terms)
            terms = None
            saves = _crossed(before, self.seen, settings.save) and self.seen < images
            if self.steps % every == 0 or self.seen == images or saves or self.interrupted:
                terms, window = self.note(window), []
            self.report.step(self.seen, terms)
            if self.interrupted:
                raise KeyboardInterrupt
            if saves:
                self.save()
            if _crossed(before, self.seen, settings.preview) or self.seen == images:
                self.preview()

    def note(self, window: list[dict[str, torch.Tensor]]) -> dict[str, float]:
        """Log the mean of each term since the last record. Raises FloatingPointError where one is not finite."""
        terms = {name: float(torch.stack([terms[name] for terms in window]).mean()) for name in window[0]}
        for name, value in terms.items():
            if not isfinite(value):
                raise FloatingPointError(
                    f"the term {name} is {value} after {self.seen:,} images; the last checkpoint is kept. "
                    "Lower training.rate, or set training.clip=1."
                )
        log.append(self.run.log, {"seen": self.seen, "seconds": round(time.monotonic() - self.began, 2), **terms})
        return terms

    def save(self) -> None:
        """Write a checkpoint of the present state."""
        note = {"seconds": time.monotonic() - self.began, "foundation": self.foundation._asdict()}
        checkpoint.save(self.run.path / "checkpoints", self.state, self.seen, self.steps, note)

    def preview(self) -> None:
        """A picture of reconstructions and swaps with the averaged weights; random numbers of its own."""
        method = self.state.method
        rows = cache.rows_for(len(self.dataset), 6, seed=0)
        half = len(rows) // 2
        if not isinstance(method, Generative) or half == 0:
            return
        images = to_images(self.dataset.images(rows), next(method.parameters()).device)
        with self.state.average.applied():
            made = edits.swap_table(method, images[:half], images[half : 2 * half], None, sampling=PREVIEW, seed=0)
        path = self.run.pictures / f"preview-{self.seen:09d}.png"
        file.save(made.picture, path, overwrite=True)
        self.report.say(f"picture: {path}")


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


def finish(run: Run, dataset: Dataset) -> None:
    """Store the range of every unit of the newest checkpoint, so that traversals need no data."""
    codes = represent(run.method("averaged"), dataset, cache.rows_for(len(dataset), 2_000, seed=0))
    fitted = reduce.fit(codes)
    quantiles = np.quantile(reduce.apply(fitted, codes), np.linspace(0, 1, 101), axis=0)
    write_statistics(run.path, Statistics(fitted, quantiles))


def _precision(run: Run, state: checkpoint.State, dataset: Dataset, accelerator: Accelerator, report: Progress) -> str:
    """The precision to train in: "auto" is settled by a probe at the start, and a resumed run keeps what it had."""
    settings = run.settings.training
    if settings.precision != "auto":
        return settings.precision
    record = run.record()
    if "precision" in record:
        return str(record["precision"])
    probe = next(batches(dataset, settings.seed, settings.batch, 0, settings.batch, accelerator.device))
    generators = checkpoint.random_states()
    chosen, seconds = choose(state.players, probe, accelerator)
    checkpoint.set_random_states(generators)
    milliseconds = {name: round(1e3 * value, 1) for name, value in seconds.items()}
    report.say(f"precision: {chosen} (forward and backward in ms: {milliseconds})")
    record = {**record, "precision": chosen, "precision_probe_ms": milliseconds}
    write_text(run.path / "run.json", json.dumps(record, indent=2))
    return chosen


def _describe(run: Run, precision: str, accelerator: Accelerator, seen: int, dataset: Dataset) -> None:
    before = run.record()
    cuda = accelerator.device.type == "cuda"
    record = {
        "started": _now(),
        **before,
        "command": sys.argv,
        "precision": precision,
        "device": torch.cuda.get_device_name() if cuda else _processor(),
        "threads": torch.get_num_threads(),
        "processes": accelerator.num_processes,
        "versions": {name: version(name) for name in ("unweave", "torch", "diffusers", "numpy")},
        "python": platform.python_version(),
        "data": {"digest": dataset.digest(), **dataset.card._asdict()},
        "resumed_at": [*before.get("resumed_at", []), *([seen] if seen else [])],
    }
    write_text(run.path / "run.json", json.dumps(record, indent=2))


def _crossed(before: int, after: int, every: int) -> bool:
    """Whether a multiple of `every` lies in (before, after]."""
    return before // every < after // every


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
