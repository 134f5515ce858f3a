"""Every setting there is, from the pydantic classes: a page for each method, foundation and data set."""

import ast
import inspect
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pages as md
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from unweave import registry
from unweave.data.dataset import find_dataset
from unweave.data.settings import ViewSettings
from unweave.method import find_method
from unweave.models.foundation_settings import FoundationSettings
from unweave.runs.settings import TrainingSettings
from unweave.studies.study import Study, StudyEntry

HEAD = ("setting", "default", "allowed", "meaning")


def write(out: Path) -> None:
    """The pages, and their index."""
    for name in registry.trainable_names():
        md.write_page(out / f"{name}.md", method_page(name))
    for name in registry.names("data"):
        md.write_page(out / f"data-{name}.md", data_page(name))
    md.write_page(out / "index.md", index_page())


def index_page() -> str:
    methods = [
        [f"[{name}]({name}.md)", md.prose(registry.summary("methods", name))] for name in registry.names("methods")
    ]
    networks = [
        [f"[{name}]({name}.md)", md.prose(registry.summary("pretraining", name))]
        for name in registry.names("pretraining")
    ]
    sets = [[f"[{name}](data-{name}.md)", md.prose(registry.summary("data", name))] for name in registry.names("data")]
    parts = [
        "# Settings",
        "A settings file has a table for the method, one for the data and one for the training; on the command line "
        "the same keys are words such as `training.images=50000`. Unknown keys are errors. "
        "`unweave train METHOD --help` prints the values under a preset.",
        "## Methods",
        md.table(("method", "what it is"), methods),
        "## Networks that methods stand on",
        md.table(("network", "what it is"), networks),
        "## Data sets and formats",
        md.table(("data", "what it is"), sets),
        "## Training",
        settings_table("training", TrainingSettings),
        "## A part of the data",
        settings_table("data.view", ViewSettings),
        "## Foundation",
        settings_table("foundation", FoundationSettings),
        "## A study file",
        settings_table("", Study),
        "An entry of `methods`:",
        settings_table("methods", StudyEntry),
        md.contents([*registry.trainable_names(), *(f"data-{name}" for name in registry.names("data"))]),
    ]
    return "\n\n".join(parts)


def method_page(name: str) -> str:
    """Settings of a method with defaults and meanings, its presets, and its citation."""
    definition = find_method(name)
    about = inspect.getdoc(registry.trainable(name)) or ""
    parts = [
        f"# {name}",
        md.prose(about),
        f"```sh\nunweave train {name} data=photos/\n```",
        settings_table("method", definition.settings),
        "## Presets",
        "\n".join(_preset(preset, tables) for preset, tables in definition.presets.items()),
        "## Citation",
        f"```bibtex\n{definition.citation}\n```",
    ]
    return "\n\n".join(parts)


def data_page(name: str) -> str:
    """Settings of a data set or a format, and its card."""
    definition = find_dataset(name)
    parts = [f"# data: {name}", md.prose(inspect.getdoc(registry.module("data", name)) or "")]
    parts.append(settings_table("data", definition.settings))
    if (card := definition.card) is not None:
        facts = [[key, md.prose(str(value))] for key, value in card._asdict().items() if value and key != "title"]
        parts += ["## Card", md.table(("", ""), facts)]
    return "\n\n".join(parts)


def settings_table(section: str, settings: type[BaseModel]) -> str:
    """Every field of a class of settings: key, default, what is allowed, meaning."""
    comments = field_comments(settings)
    rows = [
        [
            md.code(f"{section}.{field.alias or key}".removeprefix(".")),
            _default(field),
            md.code(allowed(field)),
            md.prose(field.description or comments.get(key, "")),
        ]
        for key, field in settings.model_fields.items()
        if key != "name" or section == "methods"
    ]
    nested = [
        settings_table(f"{section}.{key}".removeprefix("."), inner)
        for key, field in settings.model_fields.items()
        if (inner := _model(field.annotation)) is not None
    ]
    return "\n".join([md.table(HEAD, rows), *nested]) if rows else "It has no settings of its own.\n"


def allowed(field: FieldInfo) -> str:
    """The type of a setting, its choices and its limits, as one writes them."""
    limits = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_type(field.annotation), *limits])


def field_comments(settings: type[BaseModel]) -> dict[str, str]:
    """What stands as a comment behind a field in the source of its class, where it has no description."""
    lines = textwrap.dedent(inspect.getsource(settings)).splitlines()
    body = ast.parse("\n".join(lines)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            _, hash_sign, comment = lines[node.lineno - 1].partition("  # ")
            if hash_sign:
                found[node.target.id] = comment
    return found


def _preset(name: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    changes = [f"`{section}.{key}={value}`" for section, keys in tables.items() for key, value in keys.items()]
    return f"- **{name}**: {', '.join(changes) or 'the defaults'}"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be given"
    if isinstance(field.default, BaseModel):
        return "see below"
    return "none" if field.default is None else md.code(repr(field.default))


def _type(annotation: Any) -> str:
    origin, words = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(repr(word) for word in words)
    if origin is typing.Annotated:
        return _type(words[0])
    if origin is not None and words and type(None) in words:
        return " or ".join(_type(word) for word in words if word is not type(None))
    if origin is not None and "Union" in str(origin):
        return " or ".join(_type(word) for word in words)
    return (
        annotation.__name__
        if isinstance(annotation, type) and origin is None
        else str(annotation).replace("typing.", "")
    )


def _model(annotation: Any) -> type[BaseModel] | None:
    return next((kind for kind in _kinds(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _kinds(annotation: Any) -> Iterator[Any]:
    words = typing.get_args(annotation)
    if words and "Union" in str(typing.get_origin(annotation)):
        yield from words
    else:
        yield annotation
