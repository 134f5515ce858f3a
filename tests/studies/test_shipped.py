"""The study files in studies/ can be planned, in full and small."""

from pathlib import Path

import pytest

from unweave import registry
from unweave.studies.study import read_study
from unweave.studies.sweep import SweepOptions, load_study

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_that_ships_can_be_planned(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # foundations that lie elsewhere are not these
    for small in (False, True):
        plan = load_study(path, SweepOptions(tmp_path / "out", small=small))
        assert plan.runs
        assert plan.study.title
    assert {run.settings.training.seed for run in plan.runs} == {0}
    assert {run.settings.data.name for run in plan.runs} == {"sprites"}


def test_the_study_of_the_how_to_can_be_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "howto" / "study.md").read_text()
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(text.partition("```toml\n")[2].partition("```")[0])
    assert len(load_study("study.toml").runs) == (1 + 3 + 2 + 3) * 2 * 3


def test_every_method_is_in_the_study_of_all_methods() -> None:
    study = read_study(next(path for path in STUDIES if path.stem == "builtin"))
    assert {entry.name for entry in study.methods} == set(registry.names("methods"))


@pytest.mark.parametrize("name", ["rows", "quality", "disdiff", "diti"])
def test_what_was_recorded_is_not_run_again(name: str, tmp_path: Path) -> None:
    path = next(path for path in STUDIES if path.stem == name)
    plan = load_study(path, SweepOptions(tmp_path))
    assert plan.runs
    assert plan.missing() == []
    assert plan.foundations_of(plan.missing()) == []
