import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from unweave.evaluation import compare
from unweave.evaluation.report import report
from unweave.method import Sampling
from unweave.runs.run import Run

FEW = Sampling("ddim", 2)


@pytest.fixture
def runs(quick_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three copies of a run, the second with scores; reports are made with few steps."""
    made = report.report
    monkeypatch.setattr(report, "report", lambda run, **options: made(run, **{"sampling": FEW, **options}))
    monkeypatch.setattr(compare, "SAMPLING", FEW)
    places = [tmp_path / name for name in "abc"]
    for place in places:
        shutil.copytree(quick_run.path, place, ignore=shutil.ignore_patterns("scores*", "report*"))
    scores = {"weights": quick_run.digest(), "protocols": {"dci@1": {"disentanglement": {"value": 0.25}}}}
    (places[1] / "scores.json").write_text(json.dumps(scores))
    return places


def test_runs_stand_side_by_side(runs: list[Path]) -> None:
    found = compare.compare(runs[:2])
    assert [row["dci@1"] for row in found["runs"]] == [None, 0.25]
    assert [row["mig@1"] for row in found["runs"]] == [None, None]
    facts = json.loads((runs[0] / "report.json").read_text())
    row = found["runs"][0]
    assert row["swap consistency"] == facts["swap_consistency"]
    assert row["live units"] + row["copies"] + row["dead units"] == 4
    assert found["agreement"] == {}
    said = compare.table(found)
    headers = [str(column.header).replace("\n", " ") for column in said.columns]
    assert headers[0] == "run"
    assert list(said.columns[0].cells) == ["a", "b"]
    assert "DCI D" in headers
    assert not {"MIG", "UDR", "method", "data", "not looked at"} & set(headers)
    assert str(said.title) == "method encdiff, data sprites, seed 0, images 192"
    assert "told from 4 scored runs on" in str(said.caption)


def test_the_table_fits_a_terminal(runs: list[Path]) -> None:
    found = compare.compare(runs[:2])
    for row in found["runs"]:
        row |= {"udr": 0.51, "factorvae@1": 0.9123, "mig@1": 0.1234, "psnr inverted": 31.41}
    found["runs"][1] |= {"method": "betatcvae", "seed": 1, "images": 1_000_000, "not looked at": 480}
    with Console(width=120, record=True) as console:
        console.print(compare.table(found))
    assert "\u2026" not in console.export_text()


def test_a_report_of_the_present_weights_is_not_made_again(runs: list[Path]) -> None:
    said: list[str] = []
    compare.compare(runs[:2], say=said.append)
    compare.compare(runs[:2], say=said.append)
    assert said == [f"a report of {place}" for place in runs[:2]]


def test_a_report_made_in_another_way_is_not_compared(runs: list[Path]) -> None:
    said: list[str] = []
    other = json.loads(report.report(runs[0], seed=3, sampling=FEW).json.read_text())
    found = compare.compare(runs[:2], say=said.append)
    assert f"a report of {runs[0]}" in said
    assert found["runs"][0]["psnr units alone"] != other["reconstruction"]["units alone"]["psnr"]  # of another x_T


def test_what_has_no_units_is_left_out(runs: list[Path], disdiff_run: Run) -> None:
    denoiser = Run(disdiff_run.path.parent / "denoiser")
    said: list[str] = []
    found = compare.compare([runs[0], denoiser, runs[1]], say=said.append)
    assert [row["run"] for row in found["runs"]] == [str(place) for place in runs[:2]]
    assert any("has no units" in line for line in said)
    with pytest.raises(ValueError, match="at least two"):
        compare.compare([runs[0], denoiser])


def test_copies_of_one_run_have_no_udr_and_say_why(runs: list[Path]) -> None:
    said: list[str] = []
    found = compare.compare(runs, say=said.append)
    assert [row["udr"] for row in found["runs"]] == [None, None, None]
    assert any("two of these runs are the same" in line for line in said)


def test_agreement_is_a_rank_correlation_over_four_runs_of_one_set() -> None:
    rows = [
        {"digest": "1f", "dci@1": score, **dict.fromkeys(compare.LABEL_FREE), "swap consistency": value}
        for score, value in ((0.1, 0.3), (0.2, 0.35), (0.6, 0.9), (0.4, 0.5))
    ]
    assert compare._agreement(rows) == {"swap consistency": pytest.approx(1)}
    assert compare._agreement(rows[:3]) == {}
    assert compare._agreement([*rows[:3], {**rows[3], "digest": "2e"}]) == {}


def test_one_run_is_nothing_to_compare(quick_run: Run) -> None:
    with pytest.raises(ValueError, match="at least two"):
        compare.compare([quick_run])
