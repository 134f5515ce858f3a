"""`unweave edit`: where the pictures go, and what it prints."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unweave.cli.edit import parse_places, parse_units, split_commas
from unweave.cli.main import app
from unweave.runs.run import Run

FEW = ("--sampler", "ddim", "--steps", "2")


def edit(*words: object) -> list[Path]:
    """The files that `unweave edit` says it has written. Raises what it raises."""
    result = CliRunner().invoke(app, ["edit", *map(str, words), *FEW])
    if result.exception:
        raise result.exception
    return [Path(line) for line in result.stdout.splitlines()]


def test_pictures_go_into_the_run_under_a_free_name(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = edit("reconstruct", quick_run.path, 1), edit("reconstruct", quick_run.path, 1)
    assert first != second
    assert {path.parent for path in [*first, *second]} == {quick_run.pictures}
    assert all(path.is_file() for path in [*first, *second])
    with pytest.raises(FileExistsError, match="--overwrite"):
        edit("reconstruct", quick_run.path, 1, "--output", first[0])
    assert edit("reconstruct", quick_run.path, 1, "--output", first[0], "--overwrite") == first


def test_a_traversal_has_a_film_beside_its_picture(quick_run: Run, tmp_path: Path) -> None:
    assert edit("traverse", quick_run.path, 1, "-o", tmp_path / "t.png") == [tmp_path / "t.png", tmp_path / "t.gif"]
    assert edit("traverse", quick_run.path, 1, "-o", tmp_path / "u.gif") == [tmp_path / "u.gif"]
    assert (tmp_path / "t.gif").read_bytes() == (tmp_path / "u.gif").read_bytes()


def test_a_path_that_is_taken_is_noticed_before_the_work(
    quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.gif").write_bytes(b"mine")
    monkeypatch.setattr("unweave.editing.inputs.make_start", lambda *_, **__: pytest.fail("the work was begun"))
    with pytest.raises(FileExistsError, match=r"x\.gif"):
        edit("traverse", quick_run.path, 1, "-o", tmp_path / "x.png")
    with pytest.raises(ValueError, match="must end in"):
        edit("swap", quick_run.path, 1, "--partners", 2, "-o", tmp_path / "x.pdf")
    assert not (tmp_path / "x.png").exists()


def test_json_says_what_was_made(quick_run: Run, tmp_path: Path) -> None:
    words = ["edit", "swap", str(quick_run.path), "1", "--partners", "2", "-o", str(tmp_path / "s.png"), "--json", *FEW]
    result = json.loads(CliRunner().invoke(app, words).stdout)
    assert result["files"] == [str(tmp_path / "s.png")]
    assert result["shape"] == [1, 4, 3, 16, 16]
    assert result["x_T"] == "seed 0"
    assert result["sampling"]["steps"] == 2


def test_lists_are_split_at_commas() -> None:
    assert split_commas("a, b\\,c,") == ["a", "b,c"]
    assert split_commas(None) is None
    assert parse_units("0,10-49,wall colour") == [0, "10-49", "wall colour"]
    assert parse_places("3=0.9,wall colour=0.1,f1=state2") == {"3": "0.9", "wall colour": "0.1", "f1": "state2"}
    assert parse_places("a=b=like:x=1\\,2.png") == {"a=b": "like:x=1,2.png"}
    with pytest.raises(ValueError, match="twice"):
        parse_places("3=0.9,3=0.1")
    with pytest.raises(ValueError, match="pairs"):
        parse_places("3")
