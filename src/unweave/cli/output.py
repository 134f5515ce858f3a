"""What the verbs print: JSON on stdout, tables, and a progress bar on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from unweave import progress, threads
from unweave.cli import tables


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def say(text: str) -> None:
    """A line on stderr."""
    print(progress.printable(text), file=sys.stderr)


def print_table(table: Table) -> None:
    """A table on stdout, at the width of the terminal, or 120 columns in a pipe; what is in it is text, not markup."""
    for column in table.columns:  # rich takes no cells back, once they are in
        column._cells[:] = map(_printable, column._cells)
    table.title, table.caption = _printable(table.title), _printable(table.caption)
    options: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    console = Console(**options)
    (console if console.is_terminal else Console(width=120, **options)).print(table)


def _printable(cell: Any) -> Any:
    """A cell, title or caption without what a terminal would obey."""
    if isinstance(cell, Text):
        cell.plain = progress.printable(cell.plain)
    return progress.printable(cell) if isinstance(cell, str) else cell


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values on stdout, one below the other."""
    print_table(tables.facts_table(facts))


def show_settings(method: str, words: Sequence[str] = ()) -> None:
    """Every setting of a method and of training, with the value that it has under these words (a preset, changes)."""
    from unweave import registry
    from unweave.config import parse_word
    from unweave.method import find_method
    from unweave.runs.plan import plan

    settings = plan(method, *map(parse_word, words))
    print((registry.trainable(method).__doc__ or "").strip())
    for section, part in (("method", settings.method), ("training", settings.training)):
        print_table(tables.settings_table(section, part, settings.preset))
    for name, sections in find_method(method).presets.items():
        changes = [f"{section}.{key}={value}" for section, keys in sections.items() for key, value in keys.items()]
        print(f"preset={name}: {'  '.join(changes)}")


def progress_of(quiet: bool) -> AbstractContextManager[None]:
    """For the time of a verb: bars on a terminal, lines in a pipe, nothing with --quiet."""
    return progress.use(progress.Progress() if quiet else progress.shown())


def choose_threads() -> None:
    """Before a verb computes with torch: it does so with one thread or all, whichever is the faster just now."""
    threads.Threads().choose()
