"""What the verbs print: JSON on stdout, tables, and a progress bar on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from unweave import progress


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


def print_table(table: Table) -> None:
    """A table on stdout, at the width of the terminal, or 120 columns in a pipe."""
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values on stdout, one below the other."""
    table = Table(show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for key, value in facts.items():
        if value not in ("", {}, []):
            table.add_row(key, " x ".join(map(str, value)) if key == "shape" else _said(value))
    print_table(table)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_said(inner)}" for key, inner in value.items()) or "-"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else str(value)


def settings_rows(settings: BaseModel) -> list[tuple[str, str, str]]:
    """(name, value, description) of every field of some settings."""
    return [
        (name, repr(getattr(settings, name)), field.description or "")
        for name, field in type(settings).model_fields.items()
        if name != "name"
    ]


def show_settings(method: str, words: Sequence[str] = ()) -> None:
    """Every setting of a method and of training, with the value that it has under these words (a preset, changes)."""
    from unweave import registry
    from unweave.config import parse_word
    from unweave.method import find_method
    from unweave.runs.plan import plan

    settings = plan(method, *map(parse_word, words))
    print((registry.trainable(method).__doc__ or "").strip())
    for title, part in (("method", settings.method), ("training", settings.training)):
        table = Table(title=f"[{title}] with preset={settings.preset}", title_justify="left")
        for column in ("setting", "value", "meaning"):
            table.add_column(column, overflow="fold")
        for name, value, description in settings_rows(part):
            table.add_row(f"{title}.{name}", value, description)
        print_table(table)
    for name, tables in find_method(method).presets.items():
        changes = [f"{table}.{key}={value}" for table, keys in tables.items() for key, value in keys.items()]
        print(f"preset={name}: {'  '.join(changes)}")


def progress_line(protocol: str, done: int, total: int) -> None:
    """What is being measured, on stderr."""
    print(f"[{done + 1}/{total}] {protocol}", file=sys.stderr)


def progress_of(quiet: bool) -> AbstractContextManager[None]:
    """For the time of a verb: bars on a terminal, lines in a pipe, nothing with --quiet."""
    return progress.use(progress.Progress() if quiet else progress.shown())
