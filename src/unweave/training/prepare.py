"""From settings to a trainer: open the data and the frozen networks, build the method, restore its checkpoint."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedDataParallelKwargs, broadcast_object_list

from unweave.config import SettingsError, nearest
from unweave.data.dataset import Dataset
from unweave.data.open import open_data
from unweave.figures.pixels import use_colours
from unweave.method import Trainable, find_method
from unweave.runs import checkpoint
from unweave.runs.lock import TrainingLock
from unweave.runs.model import build, open_whole_foundation
from unweave.runs.run import Run
from unweave.runs.settings import TrainingSettings
from unweave.training import loop, malloc, memory
from unweave.training.batches import first_batch
from unweave.training.callbacks import standard_callbacks
from unweave.training.ema import Average
from unweave.training.experiment import Experiment
from unweave.training.foundation_facts import with_error, with_losses
from unweave.training.sharding import shard_tables
from unweave.training.state import TrainingState, restore_state
from unweave.training.thread_choice import ChooseThreads
from unweave.training.trainer import Callback, Trainer

logger = logging.getLogger("unweave")

SEEN_BY_HEART = 2_000
"""Times that an image may be seen in a training without a word."""


def prepare(experiment: Experiment, *, convert: bool = False, callbacks: Sequence[Callback] = ()) -> Trainer:
    """A trainer of an experiment, at the last checkpoint of its run where there is one.

    All that can be wrong with settings, data, foundations and memory is known before the run directory is made, which
    several processes leave to the main one. Raises SettingsError, LookupError and ValueError for it. The run is locked
    until the trainer's `fit` ends: BusyError where another process trains it. Pickled weights of foundations are
    refused unless `convert`.
    """
    settings = experiment.settings
    malloc.keep()
    if settings.training.threads != "auto":  # the first weights may depend on it, too
        torch.set_num_threads(settings.training.threads)
    choose_threads = ChooseThreads()
    torch.manual_seed(settings.training.seed)
    dataset = open_data(settings.data)
    use_colours(dataset.colours)
    if settings.training.images > SEEN_BY_HEART * len(dataset):
        logger.warning(
            "each of the %d images of %s is to be seen %s times, and will be learned by heart: more images help, or "
            "training.images=%d",
            *(len(dataset), dataset.name, f"{settings.training.images // len(dataset):,}", 1_000 * len(dataset)),
        )
    if experiment.is_begun() and settings.foundation.sources():  # it goes on with those it has, or says they are gone
        foundation = Run(experiment.run_dir).foundation()
    else:
        foundation = open_whole_foundation(settings.foundation, dataset.shape, len(dataset), convert)
    fresh = checkpoint.newest(experiment.run_dir / "checkpoints", lambda _: None) is None
    if fresh:  # a checkpoint brings what was measured
        foundation = with_error(foundation, dataset)
    definition = find_method(settings.method.name)
    definition.check(settings.method, foundation, settings.training.batch, settings.training.images)
    torch.manual_seed(settings.training.seed)  # what opens a frozen network may draw
    labels = None if definition.labels is None else definition.labels(settings.method)
    if labels is not None and foundation.denoiser is None:
        count, classes = classes_of(dataset, labels)
        foundation = foundation._replace(class_count=count, classes=classes)
    elif labels is not None and fresh:
        foundation = with_losses(foundation, dataset)
    method = build(settings.method, foundation)
    if fresh and settings.training.origin is not None:
        start_from(Run(settings.training.origin), method)
    accelerator = make_accelerator(settings.training, several_players=len(method.players()) > 1)
    shard_tables(method.to(accelerator.device), settings.training)
    players = method.train().players()
    share = (accelerator.process_index, accelerator.num_processes)
    probe = first_batch(dataset, settings.training.seed, settings.training.batch, accelerator.device, share)
    memory.check(players, probe, settings.training, accelerator, pieces="piece" in type(settings.method).model_fields)

    run_dir = _of_main_process(accelerator, experiment.run_dir)
    with ExitStack() as held:
        if accelerator.is_main_process:
            experiment.make_run_dir()
            held.callback(TrainingLock(run_dir).release)
        accelerator.wait_for_everyone()
        run = Run(run_dir)
        state, position = _at_last_checkpoint(run, method, accelerator)
        _check_same_images(run, dataset)
        called = [choose_threads, *standard_callbacks(), *callbacks]
        return Trainer(run, state, dataset, foundation, accelerator, position, called, held.pop_all())


def _at_last_checkpoint(run: Run, method: Trainable, accelerator: Accelerator) -> tuple[TrainingState, dict[str, Any]]:
    """What trains, as the newest whole checkpoint has it, and the record of that."""
    rank = accelerator.process_index
    if rank > 0:  # noise and dropout of its own; the weights are broadcast from the main process
        torch.manual_seed(seed_of(run.settings.training.seed, rank))
    players = [player._replace(module=accelerator.prepare(player.module)) for player in method.players()]
    state = TrainingState(
        method,
        players,
        loop.optimisers(players, run.settings.training),
        Average(method, run.settings.training.average),
        torch.Generator().manual_seed(seed_of(run.settings.training.seed, rank)),
    )
    return state, _restore(run, state, accelerator)


def start_from(run: Run, method: Trainable) -> None:
    """Give a method the trained weights of a run of the same networks.

    Raises SettingsError where its networks are others, which says what differs first.
    """
    stored, own = run.trained("raw", "cpu").state_dict(), method.state_dict()
    odd = next((name for name in own if name not in stored or stored[name].shape != own[name].shape), None)
    if odd is not None or len(stored) != len(own):
        theirs = list(stored[odd].shape) if odd in stored else "none"
        ours = f", {odd}: {theirs} there, {list(own[odd].shape)} here" if odd is not None else ""
        raise SettingsError(
            f"training.from={run.path} has other networks than this {type(method).__name__}{ours}. The method, its "
            f"settings, data.size and the channels must be the same: that run is of {run.method_name}, and its images "
            f"are {' x '.join(map(str, run.shape()))} (channels, height, width)."
        )
    method.load_state_dict(stored)


def classes_of(dataset: Dataset, labels: Sequence[str]) -> tuple[int, torch.Tensor | None]:
    """How many combinations of these factors (of all, if none is named) there are, and the one of each row.

    Raises SettingsError for a factor that there is not.
    """
    unknown = [name for name in labels if name not in dataset.factor_names]
    if unknown:
        raise SettingsError(
            f"method.labels: {dataset.name} has no factor {unknown[0]!r}.{nearest(unknown[0], dataset.factor_names)} "
            f"It has: {', '.join(dataset.factor_names) or 'none'}."
        )
    factors = dataset.factors(np.arange(len(dataset)))
    if factors is None:
        return 0, None
    columns = [dataset.factor_names.index(name) for name in labels or dataset.factor_names]
    values, classes = np.unique(factors[:, columns], axis=0, return_inverse=True)
    return len(values), torch.from_numpy(classes.reshape(-1))


def make_accelerator(settings: TrainingSettings, several_players: bool) -> Accelerator:
    """This process's devices, and the tracker that was asked for. Raises SettingsError where there is no such one."""
    tracker = settings.tracker
    trackers = [str(name) for name in get_available_trackers()]
    if tracker is not None and tracker not in trackers:
        raise SettingsError(
            f"training.tracker={tracker} cannot be used: either there is none of that name or its package is not "
            f"installed (pip install {tracker}). Found here: {', '.join(trackers) or 'none'}. "
            "log.jsonl is written always."
        )
    # players share sub-modules, so the pass of one leaves parameters of the others without gradient
    unused = DistributedDataParallelKwargs(find_unused_parameters=several_players)
    cpu = not torch.accelerator.is_available()  # Accelerate joins processes without a device only where it is told
    accelerator = Accelerator(
        cpu=cpu, mixed_precision="no", log_with=tracker, project_dir=".", kwargs_handlers=[unused]
    )
    accelerator.gradient_accumulation_steps = 1  # what `accelerate config` says of either is not for this loop
    processes = accelerator.num_processes
    if settings.batch % processes or settings.images % processes:
        raise SettingsError(
            f"training.batch={settings.batch} and training.images={settings.images} are counted over all processes "
            f"and must be multiples of their number, {processes}."
        )
    return accelerator


def seed_of(seed: int, rank: int) -> int:
    """The seed of a process's noise: the run's for the main one, others apart from it."""
    return seed if rank == 0 else int(np.random.SeedSequence([seed, rank]).generate_state(1)[0])


def _of_main_process(accelerator: Accelerator, path: Path) -> Path:
    """The main process's path, for all of them."""
    shared = [str(path)]
    broadcast_object_list(shared)
    return Path(shared[0])


def _restore(run: Run, state: TrainingState, accelerator: Accelerator) -> dict[str, Any]:
    """Load the newest whole checkpoint, if there is one, and give its record; damaged ones are renamed, not deleted."""
    folder = run.path / "checkpoints"
    newest = checkpoint.newest(folder, logger.warning if accelerator.is_main_process else lambda _: None)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process and folder.is_dir():
        checkpoint.set_aside(folder, later_than=newest)
    if newest is None:
        return {"seen": 0, "steps": 0, "seconds": 0.0}
    return restore_state(newest, state, accelerator.process_index)


def _check_same_images(run: Run, dataset: Dataset) -> None:
    """Raises SettingsError where a run would go on with other images than it began with."""
    recorded = run.record().get("data", {}).get("digest")
    if recorded is not None and recorded != dataset.digest():
        raise SettingsError(
            f"the images of {dataset.name} have changed since {run.path} began (digest {recorded}, now "
            f"{dataset.digest()}), so it cannot go on as it was: put them back, or start a new run."
        )
