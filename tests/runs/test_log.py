from pathlib import Path

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
