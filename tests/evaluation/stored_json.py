"""JSON that an earlier version wrote (before its content had types), to compare today's with."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "fixtures" / "stored-json"


def stored(name: str) -> Any:
    """What the earlier version wrote: a tiny run on sprites of every kind."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def key_tree(value: Any) -> Any:
    """The keys of JSON, down to the kinds of its leaves; a list has one tree for each kind of element that it has."""
    if isinstance(value, dict):
        return {key: key_tree(inner) for key, inner in value.items()}
    if isinstance(value, list):
        trees: list[Any] = []
        for tree in map(key_tree, value):
            trees += [] if tree in trees else [tree]
        return trees
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
