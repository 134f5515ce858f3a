import dataclasses
from pathlib import Path

import numpy as np
import pytest

from unweave.data.open import dataset_settings
from unweave.files import write_json
from unweave.runs import sharded_codes
from unweave.runs.sharded_codes import (
    AboutCodes,
    begin_codes,
    finish_codes,
    left_out,
    part_path,
    read_codes,
    sample_positions,
    whole_codes,
    write_part,
)

pytest.importorskip("pyarrow")
ABOUT = AboutCodes("run", "raw", {"name": "rooms"}, "data", 10, 4, (3, 2), ("hue",), (10,))


def code(row: int) -> np.ndarray:
    return np.arange(6, dtype=np.float32).reshape(3, 2) + 10 * row


def write(folder: Path, part: int, bad: dict[int, str]) -> None:
    rows = np.array([row for row in ABOUT.rows_of(part) if row not in bad], np.int64)
    codes = np.stack([code(row) for row in rows])
    write_part(folder, part, codes, rows, {"hue": rows % 10}, bad)


def test_what_is_written_is_read_by_position_and_a_folder_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "codes"
    assert begin_codes(folder, ABOUT) == [0, 1, 2]
    write(folder, 1, {5: "torn"})
    assert begin_codes(folder, ABOUT) == [0, 2]
    with pytest.raises(ValueError, match=r"2 of 3 parts .* are missing"):
        whole_codes(folder)
    with pytest.raises(FileExistsError, match="codes of other weights"):
        begin_codes(folder, dataclasses.replace(ABOUT, weights="averaged"))
    write(folder, 0, {})
    write(folder, 2, {})
    about = finish_codes(folder, ABOUT)
    assert about.counts == (4, 3, 2)
    codes, rows, factors = read_codes(folder, np.array([8, 0, 5]))
    assert rows.tolist() == [9, 0, 6]
    assert np.array_equal(codes, np.stack([code(9), code(0), code(6)]))
    assert factors is not None
    assert factors[:, 0].tolist() == [9, 0, 6]
    assert left_out(folder, range(3)) == {5: "torn"}
    assert begin_codes(folder, ABOUT) == []


def test_a_folder_goes_on_whatever_the_order_of_settings(tmp_path: Path) -> None:
    data = dataset_settings({"name": "shards", "path": "p", "size": 32}).model_dump(mode="json", exclude_none=True)
    assert list(data) != sorted(data)
    about = dataclasses.replace(ABOUT, data=data)
    assert begin_codes(tmp_path / "codes", about) == begin_codes(tmp_path / "codes", about) == [0, 1, 2]


@pytest.mark.parametrize("change", [{"part_rows": 0}, {"counts": [4]}])
def test_a_damaged_description_is_said(tmp_path: Path, change: dict[str, object]) -> None:
    begin_codes(tmp_path / "codes", ABOUT)
    write_json(tmp_path / "codes" / "codes.json", {**dataclasses.asdict(ABOUT), **change})
    with pytest.raises(ValueError, match="is damaged"):
        whole_codes(tmp_path / "codes")


def test_a_folder_of_something_else_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="holds no codes"):
        begin_codes(tmp_path, ABOUT)
    assert not part_path(tmp_path, 0).exists()


def test_a_sample_is_rising_and_different_and_of_few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    about = dataclasses.replace(ABOUT, rows=1_000, part_rows=10, counts=(10,) * 100)
    everything = sample_positions(about, 2_000, 0)
    assert np.array_equal(everything, np.arange(1_000))
    monkeypatch.setattr(sharded_codes, "MOST_PARTS", 7)
    chosen = sample_positions(about, 50, 0)
    assert len(chosen) == 50
    assert (np.diff(chosen) > 0).all()
    assert len(np.unique(chosen // 10)) <= 7
    assert np.array_equal(chosen, sample_positions(about, 50, 0))
    assert not np.array_equal(chosen, sample_positions(about, 50, 1))
