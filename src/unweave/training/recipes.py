"""Recipes of foundations: which frozen networks of an experiment are not there yet, and how each is made."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unweave.config import SettingsError, to_words
from unweave.data.open import open_data
from unweave.models.diffusers_folder import find_network
from unweave.models.foundation_settings import NetworkSource
from unweave.runs import checkpoint
from unweave.runs.model import encoder_run
from unweave.runs.plan import RESUMABLE, differing, plan
from unweave.runs.run import Run
from unweave.runs.settings import RunSettings

FREE = (*RESUMABLE, "training.compile", "training.precision")
"""Settings in which a finished foundation may differ from its recipe."""


class Recipe(NamedTuple):
    """How a foundation is made: what `unweave train` takes, a file or a name, and a table of settings."""

    kind: str  # autoencoder or denoiser
    what: str
    table: Mapping[str, Any]
    run_dir: Path

    @property
    def command(self) -> str:
        """The command that makes it."""
        words = [word for word in to_words(self.table) if not word.startswith("method.name=")]
        return shlex.join(["unweave", "train", self.what, *words, "--run", str(self.run_dir), "--resume"])


def missing(settings: RunSettings, allowed: bool) -> list[Recipe]:
    """Every foundation that has a recipe and is not finished, an autoencoder before a denoiser.

    Raises SettingsError where there are such and none is `allowed`, with the commands that would do it; where a run
    without a recipe has not ended; and where a finished one, or the images of a recipe, are others than are asked for.
    Before the first is made, a run that is to be the encoder must be there and see such images: it raises as well.
    """
    recipes = []
    for kind, source in settings.foundation.sources().items():
        folder = Path(source.origin)
        if source.recipe is None:
            if (folder / "settings.toml").is_file() and not is_finished(folder):
                raise SettingsError(f"the training of {folder} has not ended: `unweave train {folder} --resume`.")
            continue
        recipe = recipe_of(kind, source)
        if kind == "encoder":
            raise SettingsError("foundation.encoder is a run that is there: train it first, and give from=RUN alone.")
        if not exists(recipe, settings):
            recipes.append(recipe)
    if recipes and not allowed:
        kinds, commands = (", ".join(r.kind for r in recipes), "\n".join(f"    {r.command}" for r in recipes))
        raise SettingsError(f"the foundation is not there yet ({kinds}); make it first:\n{commands}")
    if recipes and (encoder := settings.foundation.encoder):
        encoder_run(encoder, open_data(settings.data).shape)
    return recipes


def recipe_of(kind: str, source: NetworkSource) -> Recipe:
    """The recipe of a source that has one."""
    assert source.recipe is not None
    run_dir = Path(source.origin)
    if isinstance(source.recipe, str):
        return Recipe(kind, source.recipe, {}, run_dir)
    return Recipe(kind, str(source.recipe["method"]["name"]), source.recipe, run_dir)


def exists(recipe: Recipe, settings: RunSettings) -> bool:
    """Whether what a recipe makes is there, finished. Raises SettingsError where it is something else."""
    kind, folder, planned = recipe.kind, recipe.run_dir, plan(recipe.what, recipe.table)
    if planned.data != settings.data:
        raise SettingsError(
            f"the recipe of the {kind} is for other images ({planned.data}) than the experiment's ({settings.data}): "
            "change its [data], or make it by hand and leave the recipe out."
        )
    if not (folder / "settings.toml").is_file():
        return folder.is_dir() and find_network(folder, kind) is not None
    if not is_finished(folder):
        return False
    names = [name for name in differing(Run(folder).settings, planned) if name not in FREE]
    if names:
        raise SettingsError(
            f"{folder} is there, trained with other settings than its recipe ({', '.join(names)}): set another "
            f"foundation.{kind}.from, or leave the recipe out to use it as it is."
        )
    return True


def is_finished(run_dir: Path) -> bool:
    """Whether a run was trained to its end and has stored what it stores then."""
    run = Run(run_dir)
    newest = checkpoint.newest(run.path / "checkpoints", lambda _: None)
    if newest is None or "finished" not in run.record():
        return False
    return int(checkpoint.read(newest)["seen"]) >= run.settings.training.images
