"""The size at which pictures are looked at, where nobody chose it: the largest that is trained in twenty minutes."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from unweave import progress, threads
from unweave.config import Table
from unweave.data.dataset import Dataset
from unweave.data.settings import FileSettings
from unweave.devices import synchronize
from unweave.method import Batch, find_method
from unweave.runs.model import build, open_whole_foundation
from unweave.runs.plan import RESUMABLE, default_run_dir, differing, plan
from unweave.runs.run import Run
from unweave.runs.settings import RunSettings
from unweave.training.loop import optimisers, steps
from unweave.training.prepare import make_accelerator

SECONDS = 20 * 60
SIZES = (64, 48, 32)  # pixels, the largest first
PRESETS = {64: "laptop-64"}  # of methods that have one for a size; else their `laptop`
MEASURED_STEPS = 2  # after one that warms up
FEWEST_IMAGES = 10_000  # a budget that is cut keeps so many


def is_open(settings: RunSettings, tables: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a size is to be chosen: of files, and neither it nor a preset or a frozen network is asked for."""
    asked = any("preset" in table or "foundation" in table or "size" in _data(table) for table in tables)
    return isinstance(settings.data, FileSettings) and not asked and not settings.foundation.sources()


def choose_size(method: str, tables: Sequence[Mapping[str, Any]], dataset: Dataset) -> Table:
    """The settings that say at which size, and if need be how long, `method` is trained on these pictures.

    The largest of 64, 48 and 32 pixels that is no more than the pictures have and that the budget of images is trained
    at within twenty minutes, by the rate of a few steps that are timed here and now. Where 32 takes longer, the budget
    is cut, unless it was asked for. A run that is there already keeps the size, and the budget if none is asked for.
    """
    side = max(SIZES[-1], 0 if dataset.reading is None else dataset.reading.side or 0)
    sizes = [size for size in SIZES if size <= side]
    options = [_option(method, size) for size in sizes]
    for option in options:
        if (there := _run_of(plan(method, *tables, option))) is not None:
            images = there.settings.training.images
            return option if _asks_for_images(tables) else {**option, "training": {"images": images}}
    for size, option in zip(sizes, options):
        settings = plan(method, *tables, option)
        rate = images_per_second(settings, (dataset.shape[0], size, size))
        minutes = settings.training.images / rate / 60
        if minutes <= SECONDS / 60 or (size == sizes[-1] and _asks_for_images(tables)):
            progress.message(f"size: {size} x {size} pixels, about {minutes:.0f} minutes at {rate:.0f} images/s")
            return option
    images = min(max(FEWEST_IMAGES, int(rate * SECONDS) // 1_000 * 1_000), settings.training.images)
    progress.message(
        f"size: {sizes[-1]} x {sizes[-1]} pixels; {images:,} images in place of {settings.training.images:,}, about "
        f"{images / rate / 60:.0f} minutes at {rate:.0f} images/s"
    )
    return {**options[-1], "training": {"images": images}}


def images_per_second(settings: RunSettings, shape: tuple[int, int, int]) -> float:
    """The rate of whole steps on noise of this shape, with one thread or all, whichever is the faster now."""
    accelerator = make_accelerator(settings.training, several_players=False)
    torch.manual_seed(settings.training.seed)
    method = build(settings.method, open_whole_foundation(settings.foundation, shape, settings.training.batch))
    players = method.to(accelerator.device).train().players()
    if not players:  # computed at once, and not in steps
        return float("inf")
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(settings.training.batch, *shape, generator=rng).mul(2).sub(1).to(accelerator.device)
    rows = torch.arange(len(images), device=accelerator.device)
    batch = Batch(images, rows, settings.training.warmup, settings.training.images, settings.training.seed)
    made = optimisers(players, settings.training)
    precise = settings.training.model_copy(update={"precision": "float32"})
    with threads.chosen():
        for number, _ in enumerate(steps(players, [batch] * (1 + MEASURED_STEPS), made, precise, accelerator, rng)):
            if number == 0:
                synchronize()
                began = time.perf_counter()
        synchronize()
        return MEASURED_STEPS * len(images) / (time.perf_counter() - began)


def _asks_for_images(tables: Sequence[Mapping[str, Any]]) -> bool:
    return any("images" in table.get("training", {}) for table in tables)


def _option(method: str, size: int) -> Table:
    preset = PRESETS.get(size)
    if preset in find_method(method).presets:
        return {"preset": preset, "data": {"size": size}}
    return {"data": {"size": size}}


def _run_of(settings: RunSettings) -> Run | None:
    """A run of these settings that is there, whatever its budget."""
    place = default_run_dir(settings, resume=True)
    for run_dir in sorted(place.parent.glob(f"{_stem(place.name)}*")):
        if (run_dir / "settings.toml").is_file():
            run = Run(run_dir)
            if set(differing(run.settings, settings)) <= {*RESUMABLE, "training.images"}:
                return run
    return None


def _stem(name: str) -> str:
    """The name of a run directory without the number that made it differ from others."""
    head, dash, number = name.rpartition("-")
    return head if dash and number.isdecimal() else name


def _data(table: Mapping[str, Any]) -> Mapping[str, Any]:
    data = table.get("data", {})
    return data if isinstance(data, Mapping) else {}
