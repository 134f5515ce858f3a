"""How long an image takes in training: a few steps, timed on this machine, of networks that may stand on stand-ins."""

import time
from pathlib import Path

import numpy as np
import torch

from unweave.data.open import open_data
from unweave.devices import synchronize
from unweave.method import Pretraining, evaluating
from unweave.models.foundation_settings import NetworkSource
from unweave.runs.model import build, open_whole_foundation
from unweave.runs.plan import plan
from unweave.runs.settings import RunSettings
from unweave.tensors import to_images
from unweave.training import loop, recipes
from unweave.training.batches import batches
from unweave.training.trainer import Trainer

SECONDS = 1.0
"""For how long steps are timed."""
IMAGES = 64
"""Images on which a stand-in measures what is stored beside it."""


def seconds_per_image(trainer: Trainer) -> float | None:
    """Of the steps after the first one, which warms up; None of what takes no steps. The weights move."""
    state, settings = trainer.state, trainer.settings
    if not state.players:
        return None
    settings = settings.model_copy(update={"precision": settings.precision.replace("auto", "float32")})
    stream = batches(trainer.dataset, 0, settings.batch, 0, settings.images, trainer.device)
    state.method.train()
    began, images, first = time.perf_counter(), 0, 0
    for step in loop.steps(state.players, stream, state.optimisers, settings, trainer.accelerator, state.rng):
        synchronize(trainer.device)
        if first == 0:
            began, first = time.perf_counter(), step.seen
        images = step.seen - first
        if time.perf_counter() - began > SECONDS:
            break
    return (time.perf_counter() - began) / images if images else 0.0


def on_stand_ins(settings: RunSettings, folder: Path) -> RunSettings:
    """The settings on untrained networks, made in the folder, in place of those that are missing.

    Raises what `recipes.missing` raises.
    """
    sources = {}
    for recipe in recipes.missing(settings, allowed=True):
        own = on_stand_ins(plan(recipe.what, recipe.table), folder)
        dataset = open_data(own.data)
        network = build(own.method, open_whole_foundation(own.foundation, dataset.shape, len(dataset)))
        assert isinstance(network, Pretraining)
        place = folder / f"{len(list(folder.iterdir()))}-{recipe.kind}"
        place.mkdir()
        images = to_images(dataset.images(np.arange(min(IMAGES, len(dataset)))), torch.device("cpu"))
        with evaluating(network):
            network.export(images, place)
        sources[recipe.kind] = NetworkSource.model_validate({"from": str(place)})
    return settings.model_copy(update={"foundation": settings.foundation.model_copy(update=sources)})
