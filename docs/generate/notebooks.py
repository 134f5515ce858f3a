"""Cells, and notebooks of them: read from a Python file with `# %%` marks, written as .ipynb.

In the file of a notebook, a line that ends in `# solution` is an answer: `name = ...` and `return ...` lose what stands
behind, so that the reader fills it in, and the cells that check fail until it is right.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

ANSWER = re.compile(r"^(?P<left>\s*(?:return|[\w, :\[\]]+=))\s.*?  # solution$", re.MULTILINE)


class Cell(NamedTuple):
    """A cell of a notebook."""

    kind: Literal["markdown", "code"]
    text: str

    def blank(self) -> "Cell":
        """The cell with its answers taken out."""
        return self._replace(text=ANSWER.sub(r"\g<left> ...  # your turn", self.text))

    def has_answers(self) -> bool:
        return self.kind == "code" and ANSWER.search(self.text) is not None


def read(path: Path) -> list[Cell]:
    """The cells of a file in the percent format. Raises ValueError where it does not begin with a mark."""
    before, *parts = re.split(r"^# %%(?: \[(markdown)\])?\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if before.strip() or not parts:
        raise ValueError(f"{path} must begin with # %% or # %% [markdown].")
    return [
        Cell("markdown", re.sub(r"^# ?", "", text.strip(), flags=re.MULTILINE)) if kind else Cell("code", text.strip())
        for kind, text in zip(parts[::2], parts[1::2])
    ]


def write(path: Path, cells: Iterable[Cell]) -> None:
    """A notebook of format 4.5 without outputs."""
    content = {
        "cells": [_json(number, cell) for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _json(number: int, cell: Cell) -> dict[str, object]:
    common = {
        "id": f"cell-{number}",
        "cell_type": cell.kind,
        "metadata": {},
        "source": cell.text.splitlines(keepends=True),
    }
    return common if cell.kind == "markdown" else {**common, "execution_count": None, "outputs": []}
