import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Recorder
from tests.evaluation.stored_json import key_tree, stored

from unweave import progress
from unweave.evaluation import centrality, jacobian
from unweave.evaluation import compare as module
from unweave.evaluation.compare import SCORES, ComparedRun, compare
from unweave.evaluation.evaluate import agreement
from unweave.evaluation.report.report import report
from unweave.method import Sampling
from unweave.runs.run import Run

FEW = Sampling("ddim", 2)
LATER = {"orthogonality": 0.5, "orthogonality turned": 0.5, "centrality": None}


@pytest.fixture
def runs(quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three copies of a run, the second with scores; reports are made with few steps, the rest of few images."""
    monkeypatch.setattr(jacobian, "IMAGES", 4)
    monkeypatch.setattr(centrality, "GROUPS", 8)
    monkeypatch.setattr(module, "report", lambda run, **options: report(run, **{"sampling": FEW, **options}))
    monkeypatch.setattr(module, "SAMPLING", FEW)
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        shutil.copytree(quick_run.path, path, ignore=shutil.ignore_patterns("scores*", "report*"))
    scores = {"weights": quick_run.digest(), "protocols": {"dci@1": {"disentanglement": {"value": 0.25}}}}
    (paths[1] / "scores.json").write_text(json.dumps(scores))
    return paths


def test_runs_stand_side_by_side(runs: list[Path]) -> None:
    comparison = compare(runs[:2])
    assert [run.scores["dci@1"] for run in comparison.runs] == [None, 0.25]
    assert [run.scores["mig@1"] for run in comparison.runs] == [None, None]
    facts = json.loads((runs[0] / "report.json").read_text())
    run = comparison.runs[0]
    assert run.swap_consistency == facts["swap_consistency"]
    assert run.live_units + run.copies + run.dead_units == 4
    assert comparison.agreement == {}


@pytest.mark.long
def test_the_json_has_the_keys_that_it_had(runs: list[Path]) -> None:
    comparison, before = compare(runs[:2]).to_json(), stored("compare")
    assert list(comparison) == list(before)
    earlier = list(before["runs"][0])
    assert [key for key in comparison["runs"][0] if key in earlier] == earlier
    assert comparison["runs"][0].keys() - earlier <= SCORES.keys() | LATER.keys()
    encdiff = next(run for run in before["runs"] if run["method"] == "encdiff")
    assert key_tree(comparison["runs"][0]) == key_tree({**encdiff, **LATER, **dict.fromkeys(SCORES)})


@pytest.mark.long
def test_a_report_of_the_present_weights_is_not_made_again(runs: list[Path]) -> None:
    recorder = Recorder()
    with progress.use(recorder):
        compare(runs[:2])
        compare(runs[:2])
    made = [message for message in recorder.messages if message.startswith("a report of")]
    assert made == [f"a report of {path}" for path in runs[:2]]


@pytest.mark.long
def test_a_report_made_in_another_way_is_not_compared(runs: list[Path]) -> None:
    recorder = Recorder()
    other = report(runs[0], seed=3, sampling=FEW).facts
    with progress.use(recorder):
        comparison = compare(runs[:2])
    assert f"a report of {runs[0]}" in recorder.messages
    assert comparison.runs[0].psnr_units_alone != other.reconstruction.units_alone.psnr  # of another x_T


@pytest.mark.long
def test_what_has_no_units_is_left_out(runs: list[Path], disdiff_run: Run) -> None:
    denoiser = Run(disdiff_run.path.parent / "denoiser")
    recorder = Recorder()
    with progress.use(recorder):
        comparison = compare([runs[0], denoiser, runs[1]])
    assert [run.run for run in comparison.runs] == [str(path) for path in runs[:2]]
    assert any("has no units" in message for message in recorder.messages)
    with pytest.raises(ValueError, match="at least two"):
        compare([runs[0], denoiser])


@pytest.mark.long
def test_copies_of_one_run_have_no_udr_and_say_why(runs: list[Path]) -> None:
    recorder = Recorder()
    with progress.use(recorder):
        comparison = compare(runs)
    assert [run.udr for run in comparison.runs] == [None, None, None]
    assert {run.centrality for run in comparison.runs} == {comparison.runs[0].centrality}
    assert 0 < comparison.runs[0].centrality <= 1
    assert any("two of these runs are the same" in message for message in recorder.messages)


def compared(digest: str, swap_consistency: float, dci: float | None) -> ComparedRun:
    """A run of which only this is known."""
    scores = dict.fromkeys(SCORES) | {"dci@1": dci}
    return ComparedRun("a", "m", "d", digest, 0, 1, swap_consistency, 0, 0, 0, 0, *[None] * 6, scores)


def test_agreement_is_a_rank_correlation_over_four_runs_of_one_set() -> None:
    runs = [compared("1f", value, dci) for dci, value in ((0.1, 0.3), (0.2, 0.35), (0.6, 0.9), (0.4, 0.5))]
    assert module._rank_agreement(runs) == {"swap consistency": pytest.approx(1)}
    assert module._rank_agreement(runs[:3]) == {}
    assert module._rank_agreement([*runs[:3], replace(runs[3], digest="2e")]) == {}


def test_one_run_is_nothing_to_compare(quick_run: Run) -> None:
    with pytest.raises(ValueError, match="at least two"):
        compare([quick_run])


@pytest.mark.usefixtures("untyped")
def test_a_word_is_no_list_of_runs(quick_run: Run) -> None:
    for one in (str(quick_run.path), quick_run.path):
        for verb in (compare, agreement):
            with pytest.raises(ValueError, match="give several runs, as a list"):
                verb(one)
