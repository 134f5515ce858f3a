import numpy as np
import pytest

from unweave.data.reading.table_columns import (
    Column,
    alike_but_for_case,
    counts_rows,
    is_decimal_comma,
    is_file_name,
    is_integer,
    is_missing,
    is_number,
    numbers_or_words,
    to_numbers,
    why_no_values,
)


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


def test_cells_that_say_nothing() -> None:
    assert all(map(is_missing, ("", " ", "NA", "n/a", "NaN", "null", "None", "?", "<NA>")))
    assert not any(map(is_missing, ("0", "no", "nano", "unknown")))


def test_names_of_files_and_numbers_with_commas() -> None:
    assert all(map(is_file_name, ("a.png", "im 1.JPEG", "train/17", "c:\\x\\1.tif", "x.npy")))
    assert not any(map(is_file_name, ("1.5", "red", "1e5", "", ".")))
    assert all(map(is_decimal_comma, ("1,5", "-0,25", "3,1e-4")))
    assert not any(map(is_decimal_comma, ("1.5", "a,5", "1,2,3", "1,")))


def test_rows_are_counted_from_0_or_1_in_order() -> None:
    assert counts_rows(("0", "1", "2"))
    assert counts_rows(("1", "2", "3"))
    assert not any(map(counts_rows, ((), ("2", "3"), ("0", "2"), ("0", "a"), ("1.0", "2.0"))))


def test_values_are_kept_where_rows_share_them() -> None:
    shared = [str(i % 6) for i in range(12)]
    assert why_no_values(Column("id", tuple(shared)), False, True) is None
    other = tuple(str(7 * i % 12) for i in range(12))
    assert why_no_values(Column("x", other), False, True) == (
        "every row has a value of its own, so it is an index and no factor"
    )
    assert why_no_values(Column("x", other), False, False) is None
    fractions = tuple(f"{i}.5" for i in range(12))
    assert why_no_values(Column("id", fractions), False, True) is None


def test_cells_become_numbers_where_all_are() -> None:
    assert numbers_or_words(("1", "18446744073709551615")).tolist() == [1, 18446744073709551615]
    assert numbers_or_words(("1", "x")).tolist() == ["1", "x"]
    assert numbers_or_words(("1.0", "2e1")).tolist() == [1.0, 20.0]
    assert to_numbers(Column("a", ("1", "2.5", "NA")), "it")[:2].tolist() == [1, 2.5]
    assert np.isnan(to_numbers(Column("a", ("nan",)), "it")).all()
    with pytest.raises(ValueError, match="it has 'x' in data row 2, which is no number"):
        to_numbers(Column("a", ("1", "x")), "it")


def test_words_that_are_one_but_for_case() -> None:
    assert alike_but_for_case(["blue", "RED", "red", "red"]) == ["RED", "red"]
    assert alike_but_for_case(["a", "b", "a"]) == []
