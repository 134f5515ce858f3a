from pathlib import Path

import numpy as np
import pytest

from unweave.data.reading.csv_tables import is_integer, is_number, read_cells, to_numbers


def test_cells_come_without_the_mark_at_the_start_and_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes('\ufeffx, "y, z"\r\n\r\n1, 2 \r\n'.encode())
    assert read_cells(tmp_path / "a.csv") == [["x", "y, z"], ["1", "2 "]]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("x,\u00e9\n".encode("utf-16"))
    with pytest.raises(ValueError, match="utf-8"):
        read_cells(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError):
        read_cells(tmp_path / "none.csv")


@pytest.mark.parametrize("cell", ["1", "-2.5", "+.5", "3.", "1e-05", "1E10", " 7 ", "nan", "-inf", "Infinity"])
def test_numbers(cell: str) -> None:
    assert is_number(cell)
    assert float(cell) == float(cell) or cell == "nan"


@pytest.mark.parametrize("cell", ["", " ", "a", "1_0", "0x1f", "1e", ".", "1,5", "\u0663", "1 2", "na"])
def test_words(cell: str) -> None:
    assert not is_number(cell)
    assert not is_integer(cell)


def test_whole_numbers_have_no_point() -> None:
    assert all(map(is_integer, ("0", "-17", "+18446744073709551615", " 3")))
    assert not any(map(is_integer, ("1.0", "1e3", "nan", "x")))


def test_lines_of_numbers_are_an_array() -> None:
    assert to_numbers([["1", "2.5"], ["-3", "1e2"]]).tolist() == [[1, 2.5], [-3, 100]]
    assert np.isnan(to_numbers([["nan"]])).all()
    assert to_numbers([]).shape == (0, 0)
    with pytest.raises(ValueError, match="data row 2 has 'x', which is no number"):
        to_numbers([["1"], ["x"]])
    with pytest.raises(ValueError, match="data row 2 has 1 columns and the first 2"):
        to_numbers([["1", "2"], ["3"]])
