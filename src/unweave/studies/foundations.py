"""The frozen networks that the methods of a study stand on: each is made once, and shared by all of its runs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from unweave.config import SettingsError, Table, merge
from unweave.runs.plan import differing, plan
from unweave.runs.settings import RunSettings
from unweave.studies.study import SMALL_IMAGES
from unweave.training import recipes
from unweave.training.recipes import Recipe


class PlannedFoundation(NamedTuple):
    """A network that is not there yet."""

    name: str  # its directory
    recipe: Recipe
    needs: tuple[str, ...]  # directories of those that it stands on itself


def with_places(method: str, table: Table, settings: RunSettings, small_in: Path | None) -> Table:
    """The table, with one thread for each foundation that it has a recipe of.

    With `small_in` they are the small form's: nearly untrained, and in this folder, where no other run takes them.
    """
    changes = _changes(settings, small_in)
    return merge(table, {"foundation": changes}) if changes else table


def _changes(settings: RunSettings, small_in: Path | None) -> Table:
    changes: Table = {}
    for kind, source in settings.foundation.sources().items():
        if not isinstance(source.recipe, dict):
            continue
        own: dict[str, Any] = {"training": {"threads": 1}}
        inner = _changes(plan(str(source.recipe["method"]["name"]), source.recipe), small_in)
        if inner:
            own["foundation"] = inner
        changes[kind] = {"recipe": own}
        if small_in is not None:
            own["training"]["images"] = SMALL_IMAGES
            changes[kind]["from"] = str(small_in / Path(source.origin).name)
    return changes


def foundations_of(settings: Iterable[RunSettings]) -> list[PlannedFoundation]:
    """Every foundation with a recipe that is not there yet, each once and after those that it stands on.

    Raises SettingsError for two recipes of one directory, and what `training.recipes.missing` raises.
    """
    planned: dict[str, PlannedFoundation] = {}
    alike = {(run.foundation.model_dump_json(), run.data.model_dump_json()): run for run in settings}
    for run in alike.values():
        _add(run, planned)
    return list(planned.values())


def _add(settings: RunSettings, planned: dict[str, PlannedFoundation]) -> tuple[str, ...]:
    """Adds what these settings stand on, and returns their names."""
    names = []
    for recipe in recipes.missing(settings, allowed=True):
        name, own = str(recipe.run_dir), plan(recipe.what, recipe.table)
        names.append(name)
        if name not in planned:
            needs = _add(own, planned)
            planned[name] = PlannedFoundation(name, recipe, needs)
        elif other := differing(plan(planned[name].recipe.what, planned[name].recipe.table), own):
            raise SettingsError(
                f"two methods of this study would make {name} with other settings ({', '.join(other)}): "
                "give one of them another foundation.*.from."
            )
    return tuple(names)
