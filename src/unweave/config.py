"""Settings: TOML tables and `key=value` words -> frozen pydantic models, with errors that help.

An unknown key, a missing key or a wrong type is a `SettingsError` that names the table and the
key, says what is known, and suggests the nearest name.
"""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from unweave.files import read_text

Table = dict[str, Any]


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and the remedy."""


class Frozen(BaseModel):
    """The base of all settings: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class NamedSettings(Frozen):
    """The base of settings that are found by their name in the registry: of a method, a foundation, a data set.

    Each has a field `name: Literal["x"] = "x"`, so that a table of a settings file says whose it is.
    """

    name: str


S = TypeVar("S", bound=BaseModel)


def nearest(name: str, known: Iterable[str]) -> str:
    """ " Did you mean 'x'?" when some known name is near, else ""."""
    spelt = {word.casefold(): word for word in known}
    near = difflib.get_close_matches(name.casefold(), list(spelt), n=1, cutoff=0.5)
    return f" Did you mean {spelt[near[0]]!r}?" if near else ""


def read(path: Path) -> Table:
    """The tables of a TOML file. Raises SettingsError for no regular file, more than 256 MB, or no TOML in UTF-8."""
    if not Path(path).is_file():  # a pipe would be waited for
        raise SettingsError(f"there is no settings file {str(path)!r}.")
    try:
        text = read_text(Path(path))
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} is not valid TOML, lines such as images = 1000 below a [table]: {error}") from None


def parse_word(text: str) -> Table:
    """One `dotted.key=value` word as nested tables. The value is read as TOML, else as a string."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise SettingsError(f"expected dotted.key=value, got {text!r}; for example training.images=50000.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        parsed = value
    if key in ("data", "data.path") and not isinstance(parsed, dict | str):
        parsed = value  # a folder may be called 12 or 2024-05-01
    for part in reversed(key.split(".")):
        parsed = {part: parsed}
    return parsed


def to_words(table: Mapping[str, Any], before: str = "") -> list[str]:
    """Nested tables as the `dotted.key=value` words that `parse_word` reads."""
    words = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            words += to_words(value, f"{before}{key}.")
        else:
            words.append(f"{before}{key}={value if isinstance(value, str) else json.dumps(value)}")
    return words


def merge(*tables: Mapping[str, Any]) -> Table:
    """Nested tables laid over each other; later ones win."""
    result: Table = {}
    for table in tables:
        for key, value in table.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            result[key] = merge(result[key], value) if both else value
    return result


def parse(model: type[S], table: Mapping[str, Any], where: str, also: tuple[str, ...] = ()) -> S:
    """A table as a settings model. Raises SettingsError that names `where` and every bad key.

    `also` are keys of the table that somebody else reads, for the message.
    """
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(model, problem, where, also) for problem in error.errors())) from None


def _explain(model: type[BaseModel], problem: Any, where: str, also: tuple[str, ...]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    name = f"{where}.{key}".strip(".")
    if problem["type"] == "extra_forbidden":
        known = _fields(model, problem["loc"][:-1]) + (list(also) if len(problem["loc"]) == 1 else [])
        table = ".".join([where, *map(str, problem["loc"][:-1])]).strip(".")
        has = f"[{table}] has" if table else "There is"
        return f"{name} is not a setting.{nearest(str(problem['loc'][-1]), known)} {has}: {', '.join(known)}."
    if problem["type"] == "value_error" and not problem["loc"]:  # of several keys at once; it says which
        return str(problem["ctx"]["error"])
    if problem["type"] == "missing":
        return f"{name} is missing; set it in the file or as {name}=VALUE."
    if problem["type"] in ("tuple_type", "list_type"):
        return f"{name} is a list, as {name}=[{problem['input']!r}]; got {problem['input']!r}."
    if problem["type"] == "dict_type":
        return f"{name} is a table, as {{ key = value }}; got {problem['input']!r}."
    return f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]}, got {problem['input']!r}."


def _fields(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    for part in path:
        of = model.model_fields[part].annotation if part in model.model_fields else None
        inner = [kind for kind in (of, *get_args(of)) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return sorted(field.alias or name for name, field in model.model_fields.items())
