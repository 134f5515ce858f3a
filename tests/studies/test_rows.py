import json
from pathlib import Path

import pytest

from unweave.config import SettingsError
from unweave.studies.rows import ResultRow, read_records, read_results, write_csv, write_parquet

ROWS = [
    ResultRow("runs/a", "betavae, plain", "betavae", "sprites", images=64, value=1 / 3, null=None, protocol="mig@1"),
    ResultRow("runs/b", 'of "two" words', "dipvae", "sprites", seed=1, seconds=2.5, value=-0.25, data_images=7),
]


@pytest.mark.parametrize(("write", "name"), [(write_csv, "results.csv"), (write_parquet, "results.parquet")])
def test_what_is_written_is_read(write: object, name: str, tmp_path: Path) -> None:
    assert read_results(write(tmp_path / name, ROWS)) == ROWS


def test_a_folder_is_read_by_its_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "results.csv", ROWS)
    assert read_results(tmp_path) == ROWS
    with pytest.raises(LookupError, match="no results"):
        read_results(tmp_path / "none")


def test_a_table_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("run,label,method,data,colour\na,b,c,d,e\n")
    with pytest.raises(SettingsError, match=r"unknown columns \['colour'\]"):
        read_results(tmp_path)


def test_records_of_earlier_work_are_rows(tmp_path: Path) -> None:
    run = {"row": "betavae method.beta=1", "seed": 2, "images": 64, "seconds": 3.0, "dci@1 disentanglement": 0.5}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"data": "grids/sprites.npz", "runs": [run], "command": ["rows.py", "--x"]}))
    (row,) = read_records(path)
    assert (row.label, row.method, row.data, row.seed) == ("betavae method.beta=1", "betavae", "sprites", 2)
    assert (row.protocol, row.score, row.value) == ("dci@1", "disentanglement", 0.5)
    assert (row.source, row.command) == ("rows.json", "python rows.py --x")
    run |= {"data": "rooms", "commit": "1234567", "med@1 disentanglement": 0.5}
    run |= {"med-null@1 disentanglement": 0.25, "med-null@1 disentanglement_spread": 0.125}
    path.write_text(json.dumps({"data": "sprites", "runs": [run], "command": "python rows.py"}))
    row = next(row for row in read_records(path) if row.protocol == "med@1")
    assert (row.data, row.command) == ("rooms", "python rows.py  # at commit 1234567")
    path.write_text(json.dumps({**json.loads(path.read_text()), "command": "unweave sweep a.toml"}))
    assert {row.command for row in read_records(path)} == {"unweave sweep a.toml  # at commit 1234567"}
    assert (row.null, row.null_spread) == (0.25, 0.125)
    path.write_text("[]")
    with pytest.raises(SettingsError, match="no record of runs"):
        read_records(path)


def test_the_records_of_this_repository_can_be_read() -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / "results"
    names = [*folder.glob("rows_*.json"), *(folder / f"{name}_report.json" for name in ("quality", "disdiff", "diti"))]
    assert all(read_records(path) for path in [*names, folder / "contrastive_study.json"])
