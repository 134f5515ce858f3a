import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from unweave.config import SettingsError
from unweave.data.open import dataset_table
from unweave.runs.plan import plan
from unweave.runs.settings import to_toml
from unweave.studies import tune as module
from unweave.studies.jobs import Job
from unweave.studies.rows import REPORT, ResultRow
from unweave.studies.stored import Scoring, write_rows
from unweave.studies.sweep import SweepOptions
from unweave.studies.tune import (
    LABELLED,
    LABELLED_SCORE,
    NONE_CLEAR,
    Candidate,
    Judged,
    TuneOptions,
    agreement,
    best,
    budgets,
    candidates,
    job_of,
    kept,
    longer,
    run_count,
    tune,
)
from unweave.studies.watcher import StudyWatcher


def judged(name: str, clear: int, mixed: int = 0, psnr: float = 20.0, labelled: float | None = None) -> Judged:
    return Judged(Candidate(name, {}), 100, clear, mixed, psnr, labelled, name)


def test_budgets_rise_to_the_whole_and_cost_no_more_than_it_for_each_round() -> None:
    assert budgets(90_000, 3) == [10_000, 30_000, 90_000]
    assert budgets(100, 1) == [100]
    count = 27
    costs = [images * count // 3**number for number, images in enumerate(budgets(9_000, 3))]
    assert len(set(costs)) == 1
    assert [run_count(count, rounds) for rounds in (1, 2, 3)] == [27, 27 + 9, 27 + 9 + 3]
    assert run_count(8, 3) == 8 + len(kept([judged(str(number), 0) for number in range(8)])) + 1


def test_every_strength_meets_every_number_of_units() -> None:
    listed = candidates(["betavae", "encdiff"], [6, 10])
    assert len(listed) == 2 * 3 + 2
    assert len({each.label for each in listed}) == len(listed)
    with pytest.raises(LookupError, match="Did you mean 'betavae'"):
        candidates(["betvae"], [6])


def test_clear_factors_come_first_then_few_mixed_ones_then_near_pictures() -> None:
    order = [judged("a", 4, 3), judged("b", 3, 0), judged("c", 3, 1, 30.0), judged("d", 3, 1, 20.0)]
    assert [each.candidate.method for each in best(order[::-1])] == ["a", "b", "c", "d"]
    assert [each.method for each in kept(order)] == ["a", "b"]
    assert len(kept(order[:1])) == 1


def test_what_labels_would_have_chosen_is_said() -> None:
    several = [judged("a", 3, labelled=0.2), judged("b", 2, labelled=0.6), judged("c", 1, labelled=0.1)]
    said = agreement(several, several)
    assert said is not None
    assert "would have chosen b (0.60); the chosen one has 0.20" in said
    assert "correlate with 0.50" in said
    assert agreement([judged("a", 3)], [judged("a", 3)]) is None


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Jobs that were given to a backend, which finds as many clear factors as the strength says."""
    done: list[Job] = []

    def run_jobs(jobs: Sequence[Job], options: SweepOptions, watcher: StudyWatcher, threads: int) -> None:
        for job in jobs:
            done.append(job)
            strength = job.table["method"]["beta"]
            if strength == 16.0 and job.table["method"]["units"] == 6:
                watcher.end(job, "the loss is no number")
                continue
            values = {"clear factors": strength, "mixed factors": 1.0, "psnr units alone": 20.0}
            rows = [ResultRow("r", "l", "m", "d", protocol=REPORT, score=name, value=value)
                    for name, value in values.items()]  # fmt: skip
            rows += [ResultRow("r", "l", "m", "d", protocol=LABELLED, score=LABELLED_SCORE, value=1 / strength)]
            scoring = {**(job.scoring or {}), "protocols": tuple((job.scoring or {})["protocols"])}
            write_rows(Path(job.out), job.name, Scoring(**scoring), rows, {})

    monkeypatch.setattr(module, "run_jobs", run_jobs)
    return done


def test_the_best_third_goes_on_and_a_stopped_tuning_too(trained: list[Job], tmp_path: Path) -> None:
    options = TuneOptions(tmp_path / "out", ("betavae",), (6, 10), images=900)
    tuned = tune("sprites", options)
    assert [job.table["training"]["images"] for job in trained] == [300] * 6 + [900] * 2
    assert tuned.chosen.candidate.table["method"] == {"units": 10, "beta": 16.0}
    assert tuned.command.startswith("unweave train betavae data.name=sprites method.units=10")
    assert "62 times in 63" in tuned.trust
    assert tuned.agreement is not None
    assert "correlate with -1.00" in tuned.agreement
    assert tune("sprites", options).chosen == tuned.chosen
    assert len(trained) == 8
    assert (tmp_path / "out" / "tuned.json").is_file()
    tune("sprites", replace(options, retry=True))
    assert [job.table["method"] for job in trained[8:]] == [{"units": 6, "beta": 16.0}]


def test_a_choice_among_candidates_without_a_clear_factor_is_said_to_be_none(
    trained: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TuneOptions(tmp_path / "out", ("betavae",), (10,), images=900, rounds=1)
    assert NONE_CLEAR not in tune("sprites", options).trust
    monkeypatch.setattr(module, "judge", lambda candidate, images, run, rows: judged("betavae", 0))
    assert tune("sprites", options).trust.startswith(NONE_CLEAR)


def test_runs_of_other_data_size_or_seed_have_other_names(tmp_path: Path) -> None:
    scoring = Scoring((), 1_000, 1, True)
    tables = [{"name": "folder", "path": str(tmp_path / place / "photos")} for place in "ab"]
    tables += [{**tables[0], "size": 24}]
    candidate = Candidate("betavae", {"method": {"units": 6}})
    jobs = [job_of(candidate, table, 300, tmp_path, scoring, seed) for table in tables for seed in (0, 7)]
    assert len({job.name for job in jobs}) == 6


def test_a_run_with_other_settings_ends_the_tuning_before_anything_is_trained(
    trained: list[Job], tmp_path: Path
) -> None:
    options = TuneOptions(tmp_path / "out", ("betavae",), (6, 10), images=900)
    table = {"data": "sprites", "training": {"images": 300}, "method": {"units": 6, "beta": 1.0}}
    scoring = Scoring((), 1_000, 1, True)
    name = job_of(candidates(["betavae"], [6])[0], dataset_table("sprites"), 300, options.out, scoring, 0).name
    run = options.out / "runs" / name
    run.mkdir(parents=True)
    settings = plan("betavae", {**table, "training": {"images": 300, "seed": 3}})
    (run / "settings.toml").write_text(to_toml(settings))
    with pytest.raises(SettingsError, match=r"trained with other settings \(.*training.seed"):
        tune("sprites", options)
    assert trained == []


def test_the_command_is_quoted_and_has_images_and_seed(tmp_path: Path) -> None:
    data = {"name": "folder", "path": str(tmp_path / "my photos")}
    words = shlex.split(longer(judged("betavae", 3), data, TuneOptions(images=900, seed=7)))
    assert words[:3] == ["unweave", "train", "betavae"]
    assert f"data.path={tmp_path / 'my photos'}" in words
    assert {"training.images=2700", "training.seed=7"} <= set(words)


def test_too_few_images_for_verdicts_are_said_before_anything_is_trained(trained: list[Job], tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    from PIL import Image

    Image.new("RGB", (16, 16)).save(folder / "a.png")
    with pytest.raises(ValueError, match=r"verdicts need 1,000 images or more, and few has 1"):
        tune(str(folder), TuneOptions(tmp_path / "out", ("betavae",), (6,)))
    assert trained == []
