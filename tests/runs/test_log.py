from pathlib import Path

import pytest

from unweave import files
from unweave.runs import log


def test_records_come_back_without_a_line_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert log.read(path) == []
    for seen in (10, 20, 30):
        log.append(path, {"seen": seen, "loss": 0.5})
    with path.open("a") as file:
        file.write('{"seen": 40, "lo')
    assert [record["seen"] for record in log.read(path)] == [10, 20, 30]


def test_truncation_drops_what_will_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for seen in (10, 20, 30):
        log.append(path, {"seen": seen})
    log.truncate(path, 20)
    assert [record["seen"] for record in log.read(path)] == [10, 20]
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_log_of_more_than_256_mb_is_refused_and_broken_signs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'\xff\n{"seen": 10}\n')
    assert log.read(path) == [{"seen": 10}]
    with path.open("ab") as file:
        file.truncate(files.MAX_TEXT_BYTES + 1)  # takes no room on the disk
    with pytest.raises(ValueError, match="more than the"):
        log.read(path)
