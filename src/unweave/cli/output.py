"""What the verbs print: JSON on stdout, tables, and a progress bar on stderr."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from unweave.progress import Progress


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


class Bar(Progress):
    """Training progress: a bar with images/s, loss terms and time left; a line every 5 % where there is no terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)

    def begin(self, seen: int, images: int) -> None:
        self.first, self.images, self.began = seen, images, time.monotonic()
        self.terms, self.line = "", seen / images  # a stage before this one had its own
        columns = (
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} images"),
            TextColumn("{task.fields[speed]:,.0f}/s"),
            TextColumn("{task.fields[terms]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self.bar = RichProgress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self.bar.start()
        self.task = self.bar.add_task("training", total=images, completed=seen, speed=0.0, terms="")

    def step(self, seen: int, terms: dict[str, float] | None) -> None:
        if terms is not None:
            self.terms = "  ".join(f"{name.split('/')[-1]} {value:.4f}" for name, value in terms.items())
        elapsed = time.monotonic() - self.began
        speed = (seen - self.first) / elapsed if elapsed > 0 else 0.0
        self.bar.update(self.task, completed=seen, speed=speed, terms=self.terms)
        if not self.console.is_terminal and seen / self.images >= self.line and terms is not None:
            self.line = seen / self.images + 0.05
            left = (self.images - seen) / speed if speed else 0.0
            print(f"{seen:,}/{self.images:,} images  {speed:,.0f}/s  {self.terms}  {left:.0f} s left", file=sys.stderr)

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def end(self) -> None:
        self.bar.stop()


def settings_rows(model: Any) -> list[tuple[str, str, str]]:
    """(name, default, description) of every field of a settings model."""
    return [
        (name, "" if field.is_required() else repr(field.default), field.description or "")
        for name, field in model.model_fields.items()
    ]


def show_settings(method: str) -> None:
    """Every setting of a method and of training, with its default, and the method's presets."""
    from unweave import registry
    from unweave.runs.settings import TrainingSettings

    module = registry.trainable(method)
    print((module.__doc__ or "").strip())
    for title, model in (("method", module.Settings), ("training", TrainingSettings)):
        table = Table(title=f"[{title}]", title_justify="left")
        for column in ("setting", "default", "meaning"):
            table.add_column(column, overflow="fold")
        for name, default, description in settings_rows(model):
            table.add_row(f"{title}.{name}", default, description)
        print_table(table)
    for name, tables in module.PRESETS.items():
        changes = [f"{table}.{key}={value}" for table, keys in tables.items() for key, value in keys.items()]
        print(f"preset={name}: {'  '.join(changes)}")


def progress_line(protocol: str, done: int, total: int) -> None:
    """What is being measured, on stderr."""
    print(f"[{done + 1}/{total}] {protocol}", file=sys.stderr)
