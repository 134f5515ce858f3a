"""The course runs with its solutions, and every blank makes a check fail."""

from pathlib import Path
from typing import Any

import notebooks
import pytest

SOURCES = sorted((Path(__file__).parents[2] / "docs" / "course").glob("[0-9]_*.py"))


@pytest.mark.long
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_solutions_pass_and_blanks_fail(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells, values = notebooks.read(path), dict[str, Any]({"__name__": "lesson"})
    answers = 0
    for number, cell in enumerate(cells):
        if cell.kind == "markdown":
            continue
        if cell.has_answers():
            answers += 1
            blank = dict(values)
            with pytest.raises((AssertionError, TypeError, ValueError, AttributeError)):
                execute([cell.blank(), *cells[number + 1 : next_check(cells, number) + 1]], blank)
        execute([cell], values)
    assert answers >= 3


def execute(cells: list[notebooks.Cell], values: dict[str, Any]) -> None:
    for cell in cells:
        if cell.kind == "code":
            exec(compile(cell.text, "lesson", "exec"), values)


def next_check(cells: list[notebooks.Cell], number: int) -> int:
    return next(later for later in range(number, len(cells)) if cells[later].text.startswith("# check"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_solution_is_left_in_the_notebook_for_the_class(path: Path) -> None:
    cells = notebooks.read(path)
    blanks = [cell.blank() for cell in cells]
    assert not any("# solution" in cell.text for cell in blanks)
    assert sum(cell.text.count("# your turn") for cell in blanks) >= 3
    for cell in blanks:
        if cell.kind == "code":
            compile(cell.text, path.name, "exec")
