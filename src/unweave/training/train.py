"""Train: the only place where names, settings, data, a method and the loop meet.

Four functions, each of which can be called alone: `resolve` says what is to be trained and where the run goes,
`make_foundations` trains the frozen networks that it stands on, `prepare` opens and builds all of it, and `Trainer.fit`
trains. From the command to a loss: cli/train.command -> train -> Trainer.fit -> loop.steps.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from unweave import progress
from unweave.runs.lock import check_not_training
from unweave.runs.run import Run
from unweave.training import chain, processes, recipes
from unweave.training.experiment import Experiment, resolve
from unweave.training.prepare import prepare
from unweave.training.trainer import Callback


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
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train a method on images without labels, and return its run.

    `what` is the name of a method, a TOML file, or (with `resume`) a run directory; a name goes before a directory of
    that name (write ./diti, or give a Path, for the directory). The tables change single settings:
    `train("encdiff", data="rooms", training={"images": 50_000})`. With `resume` a run that is there already goes on
    from its last checkpoint, and a finished one is returned as it is; a directory may go on to more images
    (training={"images": MORE}), and threads and how often it is saved and shown may be others than before. Raises
    FileExistsError where `run` has content and neither `resume` nor `overwrite` is given,
    SettingsError for settings that cannot be used, and FloatingPointError where a loss is no longer a number or
    explodes, and BusyError where another process trains this run. KeyboardInterrupt leaves a checkpoint behind, and so
    does SIGTERM, which then ends the process with status 143.

    Frozen networks that the method stands on and that are not there are trained first by their recipes; without
    `foundations` a SettingsError says the commands instead. Pickled weights of such networks are refused, unless
    `convert`, which reads their numbers alone and writes them as safetensors. How far it is: `unweave.progress`, one
    task over all that is trained. `callbacks` are called after the standard ones, in this process.
    """
    named = {"data": data, "method": method, "training": training, "preset": preset}
    changes = [*tables, {key: value for key, value in named.items() if value is not None}]
    experiment = resolve(what, *changes, run=run, resume=resume, overwrite=overwrite)
    threads = torch.get_num_threads()
    speaks = os.environ.get("RANK", "0") == "0"  # of several processes, one
    if speaks:
        check_not_training(experiment.run_dir)
    shown = progress.current() if speaks else progress.Progress()
    with progress.use(shown), chain.joined(experiment) if foundations else nullcontext():
        make_foundations(experiment, allowed=foundations, convert=convert)
        if processes.are_asked(experiment):
            return processes.train_in_processes(experiment, convert=convert)
        try:
            trainer = prepare(experiment, convert=convert, callbacks=callbacks)
            trainer.fit()
        finally:
            torch.set_num_threads(threads)
    return trainer.run


def make_foundations(experiment: Experiment, *, allowed: bool = True, convert: bool = False) -> None:
    """Train every frozen network that the experiment stands on, has a recipe for, and that is not finished.

    An autoencoder comes before a denoiser. One that is half done goes on, one that is done is left alone, and a run
    that has begun keeps those that it began with. Raises SettingsError where this is not `allowed`, with the commands
    that would do it.
    """
    if experiment.is_begun():
        return
    for recipe in recipes.missing(experiment.settings, allowed):
        progress.message(f"the {recipe.kind} {recipe.run_dir} is not there yet, so it is made first: {recipe.command}")
        train(recipe.what, recipe.table, run=recipe.run_dir, resume=True, convert=convert)
