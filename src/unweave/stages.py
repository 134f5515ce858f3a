"""Stages: the frozen networks that an experiment stands on are made first, by their recipes."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unweave.foundation import Source, part
from unweave.run import Run, Settings
from unweave.settings import SettingsError
from unweave.training import checkpoint

Make = Callable[[str, Mapping[str, Any], Path], object]
"""Train (what, a table of settings) into a place, going on with what is there."""


def ensure(settings: Settings, make: Make, say: Callable[[str], None], allowed: bool) -> None:
    """Make every foundation that has a recipe and is not finished, an autoencoder before a denoiser.

    One that is half done goes on, one that is done is left alone. Where this is not `allowed`, SettingsError says the
    commands that would do it.
    """
    missing = {name: source for name, source in settings.foundation.named().items() if not is_there(source, name)}
    wanted = {name: source for name, source in missing.items() if source.recipe is not None}
    if wanted and not allowed:
        commands = "\n".join(f"    {command(source)}" for source in wanted.values())
        raise SettingsError(f"the foundation is not there yet ({', '.join(wanted)}); make it first:\n{commands}")
    for name, source in wanted.items():
        say(f"the {name} {source.origin} is not there yet, so it is made first: {command(source)}")
        make(*what(source), Path(source.origin))


def is_there(source: Source, name: str) -> bool:
    """Whether a foundation can be used: a run that is finished, another folder that holds one, or a name on the Hub."""
    place = Path(source.origin)
    if not place.is_dir():
        return source.recipe is None  # a name on the Hub, or an error with a remedy when it is opened
    if (place / "settings.toml").is_file() and source.recipe is not None:
        return _is_finished(place) and part(place, name) is not None
    return source.recipe is None or part(place, name) is not None


def _is_finished(place: Path) -> bool:
    run = Run(place)
    newest = checkpoint.newest(run.path / "checkpoints", lambda _: None)
    return newest is not None and int(checkpoint.read(newest)["seen"]) >= run.settings.training.images


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
