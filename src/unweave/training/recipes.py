"""Stages: the frozen networks that an experiment stands on are made first, by their recipes."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unweave.config import SettingsError
from unweave.models.diffusers_folder import part
from unweave.models.foundation import Source
from unweave.runs import checkpoint
from unweave.runs.plan import MACHINE, differing, plan
from unweave.runs.run import Run
from unweave.runs.settings import RunSettings

Make = Callable[[str, Mapping[str, Any], Path], object]
"""Train (what, a table of settings) into a place, going on with what is there."""

INDIFFERENT = (*MACHINE, "training.compile", "training.precision")
"""Settings in which a finished foundation may differ from its recipe."""


def ensure(settings: RunSettings, make: Make, say: Callable[[str], None], allowed: bool) -> None:
    """Make every foundation that has a recipe and is not finished, an autoencoder before a denoiser.

    One that is half done goes on, one that is done is left alone. Raises SettingsError where this is not `allowed`,
    with the commands that would do it; where a run without a recipe has not ended; and where a finished one, or the
    images of a recipe, are others than are asked for.
    """
    wanted = {}
    for name, source in settings.foundation.named().items():
        place = Path(source.origin)
        if source.recipe is None:
            if (place / "settings.toml").is_file() and not is_finished(place):
                raise SettingsError(f"the training of {place} has not ended: `unweave train {place} --resume`.")
        elif not is_made(source, name, settings):
            wanted[name] = source
    if wanted and not allowed:
        commands = "\n".join(f"    {command(source)}" for source in wanted.values())
        raise SettingsError(f"the foundation is not there yet ({', '.join(wanted)}); make it first:\n{commands}")
    for name, source in wanted.items():
        say(f"the {name} {source.origin} is not there yet, so it is made first: {command(source)}")
        make(*what(source), Path(source.origin))


def is_made(source: Source, name: str, settings: RunSettings) -> bool:
    """Whether what a recipe makes is there, finished. Raises SettingsError where it is something else."""
    place, planned = Path(source.origin), plan(*what(source))
    if planned.data != settings.data:
        raise SettingsError(
            f"the recipe of the {name} is for other images ({planned.data}) than the experiment's ({settings.data}): "
            "change its [data], or make it by hand and leave the recipe out."
        )
    if not (place / "settings.toml").is_file():
        return place.is_dir() and part(place, name) is not None
    if not is_finished(place):
        return False
    differ = [name for name in differing(Run(place).settings, planned) if name not in INDIFFERENT]
    if differ:
        raise SettingsError(
            f"{place} is there, trained with other settings than its recipe ({', '.join(differ)}): set another "
            f"foundation.{name}.from, or leave the recipe out to use it as it is."
        )
    return True


def is_finished(place: Path) -> bool:
    """Whether a run was trained to its end and has stored what it stores then."""
    run = Run(place)
    newest = checkpoint.newest(run.path / "checkpoints", lambda _: None)
    if newest is None or "finished" not in run.record():
        return False
    return int(checkpoint.read(newest)["seen"]) >= run.settings.training.images


def what(source: Source) -> tuple[str, Mapping[str, Any]]:
    """What to train, as `unweave train` takes it: a file or a name, and a table of settings."""
    recipe = source.recipe
    assert recipe is not None
    if isinstance(recipe, str):
        return recipe, {}
    return str(recipe["method"]["name"]), recipe


def command(source: Source) -> str:
    """The command that makes a foundation."""
    name, table = what(source)
    words = [word for word in _words(table) if not word.startswith("method.name=")]
    return shlex.join(["unweave", "train", name, *words, "--run", source.origin, "--resume"])


def _words(table: Mapping[str, Any], before: str = "") -> list[str]:
    words = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            words += _words(value, f"{before}{key}.")
        else:
            words.append(f"{before}{key}={value if isinstance(value, str) else json.dumps(value)}")
    return words
