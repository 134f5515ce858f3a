from pathlib import Path

import pytest

from unweave.config import SettingsError
from unweave.studies.rows import ResultRow
from unweave.studies.stored import Scoring, failed, is_done, read_rows, set_aside, take_back, write_rows

SCORING = Scoring(("mig@1", "dci@1"), 100, 1, False)


def test_a_run_is_done_where_all_that_is_asked_for_was_measured(tmp_path: Path) -> None:
    rows = [ResultRow("runs/a", "a", "a", "sprites", value=0.5)]
    assert not is_done(tmp_path, "a", SCORING)
    write_rows(tmp_path, "a", SCORING, rows, {"dci@1": "too few rows"})
    assert read_rows(tmp_path, "a") == rows
    assert is_done(tmp_path, "a", SCORING)
    assert is_done(tmp_path, "a", Scoring(("mig@1",), 100, 1, False))
    for other in (Scoring(("sap@1",), 100, 1, False), Scoring((), 50, 1, False), Scoring((), 100, 1, True)):
        assert not is_done(tmp_path, "a", other)


def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    write_rows(tmp_path, "a", SCORING, [ResultRow("runs/a", "a", "a", "sprites")], {})
    path = tmp_path / "rows" / "a.json"
    path.write_text(path.read_text().replace('"factor_sizes"', '"sizes_of_factors"'))
    with pytest.raises(SettingsError, match=r"a.json is of another version"):
        read_rows(tmp_path, "a")


def test_a_failed_run_is_set_aside_with_its_log_and_taken_back(tmp_path: Path) -> None:
    run_dir = tmp_path / "runs" / "a"
    run_dir.mkdir(parents=True)
    (run_dir / "settings.toml").write_text("x = 1")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("training: 5/10\n")
    assert set_aside(tmp_path, "a", run_dir, "BusyError: another process trains it") is None
    assert run_dir.exists()
    log = set_aside(tmp_path, "a", run_dir, "no number")
    assert log is not None
    assert log.read_text() == "training: 5/10\nno number\n"
    assert failed(tmp_path) == {"a": log}
    assert not run_dir.exists()
    take_back(tmp_path, "a", run_dir)
    assert (run_dir / "settings.toml").is_file()
    assert failed(tmp_path) == {}
