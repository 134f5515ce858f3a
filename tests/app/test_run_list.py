import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from unweave.app.run_list import describe_run, list_runs
from unweave.runs.factors import require_factors, write_factors
from unweave.runs.run import Run


def test_runs_below_a_folder_are_listed_with_their_verdict(factored_run: Run, tmp_path: Path) -> None:
    deep = tmp_path / "study" / "one"
    shutil.copytree(factored_run.path, deep / "run")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "settings.toml").write_text("")  # of something else
    listed = list_runs(tmp_path)
    assert {run.path.name for run in listed} == {"run", "factored"}
    assert {run.verdict for run in listed} == {"2 clear factors, 1 left over"}
    assert all(run.ready and run.title == "betavae on sprites" and run.picture for run in listed)


@pytest.mark.parametrize("hidden", [False, True])
def test_hidden_factors_are_not_counted(factored_run: Run, hidden: bool) -> None:
    found = require_factors(factored_run)
    write_factors(factored_run, found.with_factor(0, replace(found.factors[0], hidden=hidden)))
    assert describe_run(factored_run.path).verdict.startswith("1 clear factor," if hidden else "2 clear factors,")


@pytest.mark.parametrize("file", ["settings.toml", "factors.json"])
def test_a_damaged_run_is_listed_with_a_sentence(factored_run: Run, file: str) -> None:
    (factored_run.path / file).write_text("[")
    run = describe_run(factored_run.path)
    assert "cannot be read" in run.verdict
    assert not run.ready


def test_a_run_that_is_not_trained_to_its_end_is_not_ready(factored_run: Run) -> None:
    (factored_run.path / "units.safetensors").unlink()
    assert describe_run(factored_run.path).verdict == "not trained to its end"
