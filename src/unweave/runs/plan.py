"""From what a person typed to complete settings, and to a place for the run."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unweave import registry
from unweave.config import SettingsError, Table, merge, nearest, read
from unweave.data.open import dataset_settings, dataset_table
from unweave.method import find_method
from unweave.runs.run import Run
from unweave.runs.settings import RunSettings, settings_of, without_none

DEFAULT_PRESET = "laptop"
DEFAULT_DATA = {"data": {"name": "rooms"}}

RESUMABLE = tuple(f"training.{name}" for name in ("threads", "processes", "save", "preview", "tracker"))
"""Settings of where and how visibly a run is made: one that is resumed may have others (bit by bit the same only with
the same threads and processes)."""


def plan(what: str | Path, *tables: Mapping[str, Any]) -> RunSettings:
    """Complete settings from a TOML file or the name of a method, and tables that change them.

    Later tables win; the method's own defaults come first, then its preset (`laptop` for a bare method name), then
    the file. `data` may be the name of a data set or a path. Every table is checked here, before anything is made.
    Raises SettingsError and LookupError, both with the nearest name.
    """
    bare: Table = {"preset": DEFAULT_PRESET, "method": {"name": str(what)}}
    base = read(Path(what)) if str(what).endswith(".toml") else bare
    complete = _overlay(
        _named_data(base), _overlay(*map(_named_data, tables))
    )  # single words in any order are the same
    method, preset = complete.get("method"), complete.get("preset")
    if not isinstance(method, Mapping) or "name" not in method:
        raise SettingsError(f"method.name is missing in {what}; there is: {', '.join(registry.trainable_names())}.")
    presets = preset_of(str(method["name"]), preset) if preset else {}
    if isinstance(complete.get("foundation"), Mapping):
        presets["foundation"] = _without_replaced(presets.get("foundation", {}), complete["foundation"])
    complete = merge(presets, {} if "name" in complete.get("data", {}) else DEFAULT_DATA, complete)
    complete["data"] = _complete_data(complete["data"])
    if isinstance(complete.get("training"), Mapping):
        complete["training"] = _complete_training(complete["training"])
    if "foundation" in complete:
        complete["foundation"] = _complete_foundation(complete["foundation"], complete["data"])
    return settings_of(complete)


def preset_of(method: str, preset: Any) -> Table:
    """The tables of a method's preset. Raises SettingsError with the nearest name where there is none of this name."""
    presets = find_method(method).presets
    if preset not in presets:
        near, known = nearest(str(preset), presets), list(presets)
        raise SettingsError(f"{method} has no preset {preset!r}.{near} It has: {', '.join(known)}.")
    return dict(presets[preset])


def default_run_dir(settings: RunSettings, resume: bool = False) -> Path:
    """runs/METHOD-DATA or METHOD-DATA-2, -3, ...: the first free one; to resume, the newest of these settings."""
    path = settings.data.model_dump().get("path")  # of sets on disk
    name = f"{settings.method.name}-{Path(path).stem if path else settings.data.name}"
    run_dir, number, same, near = Path("runs") / name, 1, None, None
    while run_dir.exists():
        if resume and (run_dir / "settings.toml").is_file():
            names = _differing_from(run_dir, settings)
            same, near = (same if names else run_dir), (run_dir if names <= set(RESUMABLE) else near)
        number += 1
        run_dir = Path("runs") / f"{name}-{number}"
    return same or near or run_dir


def _differing_from(run_dir: Path, settings: RunSettings) -> set[str]:
    """As `differing`, from a run that is there; one whose settings cannot be used any more differs in all."""
    try:
        return set(differing(Run(run_dir).settings, settings))
    except (SettingsError, LookupError):
        return {"method", "data", "training"}


def differing(one: RunSettings, other: RunSettings) -> list[str]:
    """The dotted names of the settings in which two experiments differ."""
    a, b = one.model_dump(), other.model_dump()
    keys = [(table, key) for table in ("method", "data", "training") for key in a[table] | b[table]]
    names = [f"{table}.{key}" for table, key in keys if a[table].get(key) != b[table].get(key)]
    places, others = ({name: of.origin for name, of in each.foundation.sources().items()} for each in (one, other))
    names += [f"foundation.{name}.from" for name in places | others if places.get(name) != others.get(name)]
    return (["preset"] if one.preset != other.preset else []) + names


def _named_data(table: Mapping[str, Any]) -> Table:
    """The table with `data` as a table, where it is the name of a data set or a path."""
    data = table.get("data")
    return {**table, "data": dataset_table(str(data))} if isinstance(data, str | Path) else dict(table)


def _without_replaced(presets: Table, own: Mapping[str, Any]) -> Table:
    """The foundations of a preset but for those that the person names, by a place or by a recipe of their own.

    A table of a recipe changes the preset's: foundation.denoiser.recipe.training.images=10000.
    """

    def changes(source: Any) -> bool:
        return isinstance(source, Mapping) and isinstance(source.get("recipe"), Mapping)

    return {name: source for name, source in presets.items() if name not in own or changes(own[name])}


def _complete_foundation(table: Any, data: Table) -> Table:
    """A [foundation] table with absolute paths, where each recipe has the data of the experiment and a place.

    A place that is not given is runs/NAME-PRESET-DATA. Raises SettingsError for tables that are none.
    """
    if not isinstance(table, Mapping) or not all(isinstance(source, Mapping) for source in table.values()):
        raise SettingsError("a foundation is set by foundation.denoiser.from=PLACE (or foundation.autoencoder.from).")
    complete = {name: _complete_source(source, data) for name, source in table.items()}
    if "autoencoder" in complete and isinstance(complete.get("denoiser", {}).get("recipe"), Mapping):
        raise SettingsError(
            "the preset's denoiser is made with an autoencoder of its own: train one on yours first (`unweave train "
            "denoiser foundation.autoencoder.from=PLACE`), and give foundation.denoiser.from=ITS RUN alone."
        )
    return complete


def _complete_source(source: Table, data: Table) -> Table:
    recipe, origin = source.get("recipe"), source.get("from")
    if isinstance(recipe, str) and not recipe.endswith(".toml"):
        recipe = {"method": {"name": recipe}}
    if isinstance(recipe, Mapping):
        if not isinstance(recipe.get("method"), Mapping) or "name" not in recipe["method"]:
            raise SettingsError("a recipe must say method.name (denoiser or autoencoder), or be a file or such a name.")
        recipe = merge({"data": data}, recipe)
        words = [recipe["method"]["name"], recipe.get("preset", DEFAULT_PRESET)]
        origin = origin or f"runs/{'-'.join([*words, data_label(data)])}"
    elif isinstance(recipe, str):
        origin = origin or f"runs/{Path(recipe).stem}"
        recipe = str(Path(recipe).resolve())
    local = origin is not None and (recipe is not None or Path(str(origin)).expanduser().is_dir())
    absolute = {"from": str(Path(str(origin)).expanduser().resolve()) if local else origin}
    return without_none({**source, "recipe": recipe, **absolute})


def data_label(data: Table) -> str:
    """A data set in the name of a run: with a digest where its name does not say all of it (paths, views)."""
    path, plain = data.get("path"), set(data) <= {"name", "size"}
    name = Path(path).stem if path else data["name"]
    words = [str(name)] + ([str(data["size"])] if "size" in data else [])
    if not plain:
        words.append(hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:6])
    return "-".join(words)


def _overlay(*tables: Table) -> Table:
    """Tables laid over each other; another data set does not inherit the settings of the one before, but its size."""
    result: Table = {}
    for table in tables:
        old, new = result.get("data", {}), table.get("data", {})
        if "name" in new and new["name"] != old.get("name", new["name"]):
            result = {**result, "data": {key: value for key, value in old.items() if key == "size"}}
        result = merge(result, table)
    return result


def _complete_training(table: Mapping[str, Any]) -> Table:
    """A [training] table with an absolute path of the run that it starts from."""
    origin = table.get("from")
    local = isinstance(origin, str) and Path(origin).expanduser().is_dir()
    return {**table, "from": str(Path(str(origin)).expanduser().resolve())} if local else dict(table)


def _complete_data(table: Mapping[str, Any]) -> Table:
    """A [data] table with its defaults, and with an absolute path."""
    settings = dataset_settings(table)
    paths = {key: value.expanduser() for key, value in settings if isinstance(value, Path)}
    absolute = {key: str(path.resolve()) for key, path in paths.items() if key == "path" or path.exists()}
    return without_none({**settings.model_dump(mode="json"), **absolute})
