import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live
from tests.cli.test_cli import run
from tests.studies.test_leaderboard import row

from unweave.cli import live
from unweave.cli.live import EventLines, LiveTable, last_line
from unweave.studies import estimate, sweep
from unweave.studies.estimate import Measured
from unweave.studies.jobs import Job
from unweave.studies.rows import write_csv
from unweave.studies.sweep import Swept

STUDY = """
methods = ["betavae"]
data = [{name = "sprites", size = 16}]
seeds = 2
images = [640]
protocols = ["mig@1"]
rows = 500
"""


@pytest.fixture
def study(tmp_path: Path) -> str:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return str(path)


def test_a_plan_lists_runs_and_their_time(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(estimate, "_time_method", lambda settings, run_dir: Measured(0.01, 0.001, 10))
    words = ["sweep", study, "--plan", "--out", str(tmp_path / "out"), "--processes", "1", "--quiet"]
    assert run(monkeypatch, *words, "--json") == 0
    planned = json.loads(capsys.readouterr().out)
    assert list(planned["runs"]) == ["betavae-sprites-16-640-0", "betavae-sprites-16-640-1"]
    of_run = planned["runs"]["betavae-sprites-16-640-0"]
    assert of_run["state"] == "to do"
    assert of_run["command"].startswith("unweave train betavae ")
    assert 6.4 < of_run["seconds"] < planned["seconds"]
    assert run(monkeypatch, *words) == 0
    assert "2 of 2 runs are to do" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_ends_with_a_message(
    study: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    Path(study).write_text(STUDY.replace("betavae", "betavea"))
    assert run(monkeypatch, "sweep", study, "--plan") == 1
    assert "Did you mean 'betavae'" in capsys.readouterr().err
    assert run(monkeypatch, "sweep", study, "--backend", "clod") == 1
    assert "no backend 'clod'" in capsys.readouterr().err


@pytest.mark.parametrize("failed", [{}, {"a": Path("failed/a/log.txt")}])
def test_the_page_is_printed_and_failures_are_said(
    failed: dict[str, Path], study: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    swept = Swept(Path("out"), Path("out/results.csv"), Path("out/index.html"), 1, failed)
    monkeypatch.setattr(sweep, "sweep", lambda *_: swept)
    assert run(monkeypatch, "sweep", study) == (3 if failed else 0)
    said = capsys.readouterr()
    assert said.out == "out/index.html\n"
    assert ("failed: a: failed/a/log.txt" in said.err) == bool(failed)


def test_events_are_lines_where_nobody_looks_on(capsys: pytest.CaptureFixture) -> None:
    lines, job = EventLines(2), Job("a", "run", "betavae", {}, "a", (), "out")
    lines.begin(job)
    lines.end(job, "")
    lines.end(job._replace(name="b"), "no number")
    assert capsys.readouterr().err.splitlines() == ["begins: a", "1/2 a: done in 0 s", "2/2 b: failed: no number"]


def test_the_live_table_shows_the_last_line_of_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TAIL", 20)
    log = tmp_path / "a.log"
    assert last_line(log) == "starts"
    log.write_text("a line that is longer than what is read\ntraining: 5/10\n")
    assert last_line(log) == "training: 5/10"


def test_a_leaderboard_is_written_or_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    table = str(write_csv(tmp_path / "results.csv", [row("a", 0, 0.5), row("b", 0, 0.25)]))
    assert run(monkeypatch, "leaderboard", table, "--markdown") == 0
    assert "| a | 1 | 0.500 |" in capsys.readouterr().out
    assert run(monkeypatch, "leaderboard", table, "--json") == 0
    assert [found["label"] for found in json.loads(capsys.readouterr().out)] == ["a", "b"]
    out = tmp_path / "page"
    assert run(monkeypatch, "leaderboard", table, str(tmp_path), "-o", str(out), "--title", "Both") == 0
    assert capsys.readouterr().out == f"{out / 'index.html'}\n"
    assert "<h1>Both</h1>" in (out / "index.html").read_text()
    assert run(monkeypatch, "leaderboard", table, "-o", str(out)) == 1
    assert "give --overwrite" in capsys.readouterr().err
    assert run(monkeypatch, "leaderboard", str(tmp_path / "none.csv")) == 1
    assert "there are no results" in capsys.readouterr().err


def test_the_live_table_shows_what_runs_and_what_has_failed(tmp_path: Path) -> None:
    job = Job("a run", "run", "betavae", {}, "a", (), str(tmp_path))
    job.log().parent.mkdir()
    job.log().write_text("scoring: 5/100 %, mig@1\n")
    stream = StringIO()
    with Live(console=Console(file=stream, width=100), auto_refresh=False) as drawn:
        table = LiveTable(3, drawn)
        for one in (job, job._replace(name="b"), job._replace(name="c")):
            table.begin(one)
        table.end(job._replace(name="b"), "no number")
        table.end(job._replace(name="c"), "")
        table.look([job])
    text = stream.getvalue()
    for said in ("1 of 3 runs, 1 failed", "a run", "scoring: 5/100 %, mig@1", "failed: no number"):
        assert said in text
