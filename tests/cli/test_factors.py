"""`unweave factors`: what it lists, changes and refuses."""

import json

import pytest
from typer.testing import CliRunner

from unweave.cli.main import app
from unweave.evaluation import run_factors
from unweave.runs.factors import FACTORS_FILE, are_current, require_factors
from unweave.runs.run import Run


def factors(*words: object) -> str:
    """What `unweave factors` prints. Raises what it raises."""
    result = CliRunner().invoke(app, ["factors", *map(str, words)])
    if result.exception:
        raise result.exception
    return result.stdout


def test_a_table_and_json_list_them(factored_run: Run) -> None:
    table = factors(factored_run.path)
    assert all(word in table for word in ("f1", "0, 2", "closed", "one thing", "size", "40%, 60%", "leftover"))
    listed = json.loads(factors(factored_run.path, "--json"))
    assert [factor["word"] for factor in listed["factors"]] == ["f1", "f2", "f3"]
    assert listed["factors"][0]["coordinate"]["closed"]
    assert listed["current"]


def test_they_are_found_where_they_are_not_yet_and_listed_from_then_on(
    factored_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (factored_run.path / FACTORS_FILE).unlink()
    first = factors(factored_run.path, "--quiet")
    found = require_factors(factored_run)
    assert sorted(unit for factor in found.factors for unit in factor.units) == [0, 1, 2, 3]
    assert [factor.effect for factor in found.factors] == sorted((f.effect for f in found.factors), reverse=True)
    assert are_current(factored_run, found)
    monkeypatch.setattr(run_factors, "find_factors", lambda *_: pytest.fail("they were found again"))
    assert factors(factored_run.path) == first


def test_they_are_changed_by_hand(factored_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_factors, "PAIRS", 2)
    path = factored_run.path
    assert "floor hue" in factors(path, "name", "f1", "floor hue")
    assert "hidden" in factors(path, "hide", "f2", "floor hue")
    assert [factor.hidden for factor in require_factors(factored_run).factors] == [True, True, False]
    assert "hidden" not in factors(path, "show", "f1", "f2")
    factors(path, "split", "floor hue", "2")
    assert [factor.units for factor in require_factors(factored_run).factors] == [(0,), (1,), (3,), (2,)]
    factors(path, "merge", "f1", "f4")
    assert [factor.units for factor in require_factors(factored_run).factors] == [(0, 2), (1,), (3,)]
    assert "floor hue" not in factors(path, "name", "f1", "")
    listed = CliRunner().invoke(app, ["name", str(path), "f3", "rest"]).stdout
    assert listed == "f3\trest\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("merge", "f1"), "merge f2 f5"),
        (("split", "f1"), "split f1 3,8"),
        (("hide",), "hide f7"),
        (("name", "f1", "floor", "hue"), 'name f1 "floor hue"'),
        (("find", "f1"), "finds all factors"),
    ],
)
def test_words_that_are_wrong_are_explained(factored_run: Run, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        factors(factored_run.path, *words)
