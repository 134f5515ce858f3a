"""One experiment: the only place where names, settings, data, a method and the loop meet.

The path from the command to a loss is cli/train -> experiment.train -> training/loop.train -> the method's forward.
"""

import json
import logging
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedDataParallelKwargs, broadcast_object_list

from unweave import registry
from unweave.config import SettingsError
from unweave.data import open as data_open
from unweave.data.dataset import Dataset
from unweave.method import Batch, Trainable
from unweave.models.foundation import Foundation, opened
from unweave.progress import Progress
from unweave.runs import checkpoint, log
from unweave.runs.plan import MACHINE, default_place, differing, plan
from unweave.runs.run import Run, build, create, write_settings, write_text
from unweave.runs.settings import RunSettings, TrainingSettings
from unweave.training import loop, malloc, memory, recipes
from unweave.training.batches import batches
from unweave.training.compiling import compile_networks
from unweave.training.ema import Average
from unweave.training.precision import choose
from unweave.training.state import TrainingState, random_states, restore, set_random_states
from unweave.training.trainer import Session, close, finish, now

logger = logging.getLogger("unweave")


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
    foundations: bool = True,
    convert: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Train a method on images without labels, and return its run.

    `what` is the name of a method, a TOML file, or (with `resume`) a run directory; a name goes before a directory of
    that name (write ./diti, or give a Path, for the directory). The tables change single settings:
    `train("encdiff", data="rooms", training={"images": 50_000})`. With `resume` a run that is there already goes on
    from its last checkpoint, and a finished one is returned as it is; threads and how often it is saved and shown may
    be others than before. Raises FileExistsError where `run` has content
    and neither `resume` nor `overwrite` is given, SettingsError for settings that cannot be used, and
    FloatingPointError where a loss is no longer a number or explodes. KeyboardInterrupt leaves a checkpoint behind.

    Frozen networks that the method stands on and that are not there are trained first by their recipes; without
    `foundations` a SettingsError says the commands instead. Pickled weights of such networks are refused, unless
    `convert`, which reads their numbers alone and writes them as safetensors.
    """
    named = {"data": data, "method": method, "training": training, "preset": preset}
    changes = [*tables, {key: value for key, value in named.items() if value is not None}]
    if resume and overwrite:
        raise SettingsError("--resume goes on with a run and --overwrite discards it: give one of them.")
    going_on = None
    is_name = isinstance(what, str) and what in registry.trainable_names()
    if not is_name and (Path(what).is_dir() or (len(Path(what).parts) > 1 and not str(what).endswith(".toml"))):
        going_on = Run(what)
        if not resume:
            raise SettingsError(f"{what} is a run: go on with it by --resume.")
        if any(changes) or run is not None:
            raise SettingsError(
                f"{what} is a run with settings and a place of its own, which a resumed run keeps. Threads, saves and "
                f"previews may change: repeat the command that began it, with --run {what} --resume."
            )
        settings, place = going_on.settings, going_on.path
    else:
        settings = plan(what, *changes)
        place = Path(run) if run is not None else default_place(settings, resume)
    speaks = os.environ.get("RANK", "0") == "0"  # one of several processes
    report = progress if progress is not None and speaks else Progress()

    def stage(what: str, table: Mapping[str, Any], place: Path) -> object:
        threads = torch.get_num_threads()
        try:
            return train(what, table, run=place, resume=True, convert=convert, progress=progress)
        finally:
            torch.set_num_threads(threads)

    begun = resume and checkpoint.newest(place / "checkpoints", lambda _: None) is not None
    if not begun:  # a run that has begun goes on with what it began with, or says that it is gone
        recipes.ensure(settings, stage, report.say, foundations)
    ready = _ready(settings, convert, Run(place) if begun else None)
    accelerator = _accelerator(settings, len(ready.method.players()) > 1)
    _check_memory(ready, settings, accelerator)
    if going_on is None:
        place = _together(accelerator, place)
        if accelerator.is_main_process:
            _place(place, settings, resume, overwrite)
        accelerator.wait_for_everyone()
    trained = Run(place)
    _carry_out(trained, ready, report, accelerator)
    return trained


class Ready(NamedTuple):
    """What settings name, opened and built: all that can be wrong with them is known before a run is made."""

    dataset: Dataset
    foundation: Foundation
    method: Trainable


def _ready(settings: RunSettings, convert: bool, begun: Run | None) -> Ready:
    malloc.keep()
    if settings.training.threads is not None:
        torch.set_num_threads(settings.training.threads)
    torch.manual_seed(settings.training.seed)
    dataset = data_open.build(settings.data)
    if begun is not None and settings.foundation.named():
        foundation = begun.foundation()
    else:
        foundation = opened(settings.foundation, dataset.shape, len(dataset), convert)
    torch.manual_seed(settings.training.seed)  # what opens a frozen network may draw
    return Ready(dataset, foundation, build(settings, foundation))


def _place(place: Path, settings: RunSettings, resume: bool, overwrite: bool) -> Run:
    """The run directory of an experiment: new, or one of the same settings to go on with."""
    there = (place / "settings.toml").is_file()
    if overwrite and place.exists():
        if not there:
            raise FileExistsError(f"{place} is not a run, so --overwrite leaves it alone: choose another --run.")
        shutil.rmtree(place)
    elif resume and there:
        opened = Run(place)
        differ = differing(opened.settings, settings)
        others = [name for name in differ if name not in MACHINE]
        if others:
            raise SettingsError(
                f"{place} was trained with other settings ({', '.join(others)}): "
                f"go on as it is with `unweave train {place} --resume`, choose another --run, or --overwrite it."
            )
        if differ and not recipes.is_finished(place):
            write_settings(place, opened.settings.model_copy(update={"training": settings.training}))
            return Run(place)
        return opened
    return create(place, settings)


def _accelerator(settings: RunSettings, several_players: bool) -> Accelerator:
    """This process's devices, and the tracker that was asked for. Raises SettingsError where there is no such one."""
    tracker = settings.training.tracker
    known = [str(name) for name in get_available_trackers()]
    if tracker is not None and tracker not in known:
        raise SettingsError(
            f"training.tracker={tracker} cannot be used: either there is none of that name or its package is not "
            f"installed (pip install {tracker}). Found here: {', '.join(known) or 'none'}. log.jsonl is written always."
        )
    # players share sub-modules, so the pass of one leaves parameters of the others without gradient
    unused = DistributedDataParallelKwargs(find_unused_parameters=several_players)
    cpu = not torch.accelerator.is_available()  # Accelerate joins processes without a device only where it is told
    accelerator = Accelerator(
        cpu=cpu, mixed_precision="no", log_with=tracker, project_dir=".", kwargs_handlers=[unused]
    )
    accelerator.gradient_accumulation_steps = 1  # what `accelerate config` says of either is not for this loop
    ranks, training = accelerator.num_processes, settings.training
    if training.batch % ranks or training.images % ranks:
        raise SettingsError(
            f"training.batch={training.batch} and training.images={training.images} are counted over all processes "
            f"and must be multiples of their number, {ranks}."
        )
    return accelerator


def _together(accelerator: Accelerator, place: Path) -> Path:
    """The main process's place, for all of them."""
    shared = [str(place)]
    broadcast_object_list(shared)
    return Path(shared[0])


def _carry_out(run: Run, ready: Ready, report: Progress, accelerator: Accelerator) -> None:
    settings = run.settings.training
    method = ready.method.to(accelerator.device)
    rank = accelerator.process_index
    if rank > 0:  # noise and dropout of its own; the weights are broadcast from the main process
        torch.manual_seed(seed_of(settings.seed, rank))
    players = [player._replace(module=accelerator.prepare(player.module)) for player in method.players()]
    state = TrainingState(
        method,
        players,
        loop.optimisers(players, settings),
        Average(method, settings.average),
        torch.Generator().manual_seed(seed_of(settings.seed, rank)),
    )
    begun = _begin(run, state, accelerator)
    _check_data(run, ready.dataset)
    if begun["seen"] >= settings.images:
        report.say(f"{run.path} is trained already ({begun['seen']:,} images).")
        if accelerator.is_main_process and not run.is_settled():
            finish(run, ready.dataset)
        if accelerator.is_main_process and "finished" not in run.record():  # it was killed after its last step
            close(run, begun["seconds"], begun["seen"])
        accelerator.wait_for_everyone()
        return
    report.say(f"run: {run.path}")
    why = compile_networks(method, accelerator.device) if settings.compile else None
    if why and accelerator.is_main_process:
        logger.warning(f"training.compile is left out: torch.compile does not work here ({why})")
    if accelerator.is_main_process:
        run.forget_statistics()
        log.truncate(run.log, begun["seen"])
    precision = _precision(run, state, ready.dataset, accelerator, report)
    if accelerator.is_main_process:
        _describe(run, precision, settings.compile and not why, accelerator, begun["seen"], ready.dataset)
    if settings.tracker is not None:
        accelerator.project_configuration.logging_dir = str(run.path)  # where the run is was not known before
        accelerator.init_trackers("unweave", config=_flat(run.settings.model_dump(mode="json")))
    accelerator.wait_for_everyone()
    session = Session(run, state, ready.dataset, ready.foundation, begun, report, accelerator)
    try:
        session.carry_on(settings.model_copy(update={"precision": precision}))
    finally:
        if settings.tracker is not None:
            accelerator.end_training()


def _check_data(run: Run, dataset: Dataset) -> None:
    """Raises SettingsError where a run would go on with other images than it began with."""
    recorded = run.record().get("data", {}).get("digest")
    if recorded is not None and recorded != dataset.digest():
        raise SettingsError(
            f"the images of {dataset.name} have changed since {run.path} began (digest {recorded}, now "
            f"{dataset.digest()}), so it cannot go on as it was: put them back, or start a new run."
        )


def _begin(run: Run, state: TrainingState, accelerator: Accelerator) -> dict[str, Any]:
    """Load the newest whole checkpoint, if there is one; damaged ones are put aside, not deleted."""
    folder = run.path / "checkpoints"
    found = checkpoint.newest(folder, logger.warning if accelerator.is_main_process else lambda _: None)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process and folder.is_dir():
        checkpoint.set_aside(folder, later_than=found)
    if found is None:
        return {"seen": 0, "steps": 0, "seconds": 0.0}
    return restore(found, state, accelerator.process_index)


def _check_memory(ready: Ready, settings: RunSettings, accelerator: Accelerator) -> None:
    """Raises SettingsError where a step will not fit into the memory that is free, before anything is made."""
    players = ready.method.to(accelerator.device).train().players()
    probe = _first_batch(settings.training, ready.dataset, accelerator)
    memory.check(players, probe, settings.training, accelerator, pieces="piece" in settings.method)


def _first_batch(settings: TrainingSettings, dataset: Dataset, accelerator: Accelerator) -> Batch:
    """This process's share of the first batch, for probes."""
    share = (accelerator.process_index, accelerator.num_processes)
    return next(batches(dataset, settings.seed, settings.batch, 0, settings.batch, accelerator.device, share))


def seed_of(seed: int, rank: int) -> int:
    """The seed of a process's noise: the run's for the main one, others apart from it."""
    return seed if rank == 0 else int(np.random.SeedSequence([seed, rank]).generate_state(1)[0])


def _precision(run: Run, state: TrainingState, dataset: Dataset, accelerator: Accelerator, report: Progress) -> str:
    """The precision to train in: "auto" is settled by a probe at the start, and a resumed run keeps what it had."""
    settings = run.settings.training
    if settings.precision != "auto":
        return settings.precision
    record = run.record()
    if "precision" in record:
        return str(record["precision"])
    probe = _first_batch(settings, dataset, accelerator)
    generators = random_states(state.rng)
    chosen, seconds = choose(state.players, probe, accelerator)
    set_random_states(generators, state.rng)
    together = [chosen]
    broadcast_object_list(together)
    chosen = together[0]
    if not accelerator.is_main_process:
        return chosen
    milliseconds = {name: round(1e3 * value, 1) for name, value in seconds.items()}
    report.say(f"precision: {chosen} (forward and backward in ms: {milliseconds})")
    record = {**record, "precision": chosen, "precision_probe_ms": milliseconds}
    write_text(run.path / "run.json", json.dumps(record, indent=2))
    return chosen


def _describe(run: Run, precision: str, compiled: bool, accelerator: Accelerator, seen: int, dataset: Dataset) -> None:
    before = run.record()
    cuda = accelerator.device.type == "cuda"
    record = {
        "started": now(),
        **before,
        "command": sys.argv,
        "precision": precision,
        "compiled": compiled,
        "device": torch.cuda.get_device_name() if cuda else processor(),
        "threads": torch.get_num_threads(),
        "processes": accelerator.num_processes,
        "versions": {name: version(name) for name in ("unweave", "torch", "diffusers", "numpy")},
        "python": platform.python_version(),
        "data": {"digest": dataset.digest(), **dataset.card._asdict()},
        "resumed_at": [*before.get("resumed_at", []), *([seen] if seen else [])],
    }
    write_text(run.path / "run.json", json.dumps(record, indent=2))


def processor() -> str:
    """The name of this machine's CPU."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted.key: value, of the types that trackers take."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, int | float | str | bool) else str(value)
    return flat
