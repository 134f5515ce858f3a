from pathlib import Path

import pytest
from tests.studies.test_plan import planned

from unweave.runs.settings import RunSettings
from unweave.studies import estimate
from unweave.studies.estimate import START, Measured, makespan
from unweave.training import step_time


def test_a_method_is_timed_by_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_time, "SECONDS", 0.02)
    (run,) = planned(tmp_path / "out", ["betavae"], images=[640]).runs
    timed = estimate._time_method(run.settings, tmp_path / "run")
    assert timed.units == 10
    assert 0 < timed.per_image < 1
    assert 0 < timed.per_code < 1


def test_foundations_that_are_missing_are_timed_and_methods_on_stand_ins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stand_ins: list[str] = []

    def make(experiment: estimate.Experiment) -> None:
        stand_ins.extend(source.origin for source in experiment.settings.foundation.sources().values())

    def measured(settings: RunSettings, run_dir: Path) -> Measured:
        return Measured(1.0) if settings.method.name == "denoiser" else Measured(2.0, 0.0, 10)

    monkeypatch.setattr(estimate, "make_foundations", make)
    monkeypatch.setattr(estimate, "_time_method", measured)
    plan = planned(tmp_path / "out", ["pdae", "diti"], protocols=[])
    time = estimate.estimate(plan, 1)
    (foundation,) = plan.foundations
    assert time.foundations == {foundation.name: START + foundation.recipe.table["training"].get("images", 60_000)}
    assert set(time.runs.values()) == {START + 2 * 64}
    assert time.total == sum(time.foundations.values()) + sum(time.runs.values())
    assert len(stand_ins) == 2
    assert foundation.name not in stand_ins
    assert not (tmp_path / "out").exists()


def test_processes_take_the_next_piece_as_they_are_free() -> None:
    assert makespan([3.0, 1.0, 1.0, 1.0], 2) == 3
    assert makespan([1.0, 1.0, 1.0, 3.0], 2) == 4
    assert makespan([], 2) == 0
