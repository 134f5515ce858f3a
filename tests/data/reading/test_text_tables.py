import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unweave.data.reading.text_tables import SEPARATORS, is_text_table, read_text_table


@pytest.fixture
def read(tmp_path: Path):
    def read_text(text: str | bytes, **options):
        (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        table = read_text_table(tmp_path / "a.csv", **options)
        return [column.name for column in table.columns], [list(column.cells) for column in table.columns]

    return read_text


@pytest.mark.parametrize(
    ("text", "names", "columns"),
    [
        ("a,b\n1,2\n3,4\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("a;b\r\n1;2\r\n3;4\r\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("a\tb\n1\t2\n3\t4", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("a|b\n1|2\n3|4\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("a  b\n 1   2\n 3   4  \n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("1 2\n3 4\n", ["", ""], [["1", "3"], ["2", "4"]]),
        ("a , b \n 1 , 2 \n 3 , 4 \n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ('\ufeff"a","b"\n"1","2"\n"3","4"\n', ["a", "b"], [["1", "3"], ["2", "4"]]),
        ('"a;x" , "b"\n"1" , "2"\n', ["a;x", "b"], [["1"], ["2"]]),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("# a,b\n1,2\n3,4\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("# made by me\n# a b\n1 2\n3 4\n# the end\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("# made, by me\na,b\n1,2\n# a remark\n3,4\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("sep=;\na;b\n1;2\n3;4\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ("\n\na,b\n\n1,2\n\n3,4\n\n", ["a", "b"], [["1", "3"], ["2", "4"]]),
        ('"","a"\n"r1",1.5\n"r2",2\n', ["", "a"], [["r1", "r2"], ["1.5", "2"]]),
        ('"a","b"\n"r1",1.5,2\n"r2",2,4\n', ["", "a", "b"], [["r1", "r2"], ["1.5", "2"], ["2", "4"]]),
        (",a\n0,1\n1,1\n", ["", "a"], [["0", "1"], ["1", "1"]]),
        ("x\n1\n2\n", ["x"], [["1", "2"]]),
        ("x,\n1,\n2,\n", ["x"], [["1", "2"]]),
        ("light blue\nred\n", [""], [["light blue", "red"]]),
        ("n,c\n1,light blue\n2,dark red\n", ["n", "c"], [["1", "2"], ["light blue", "dark red"]]),
        ("c\n#ff0000\n#00ff00\n", [""], [["c", "#ff0000", "#00ff00"]]),
        ("f,c\n1.png,red\n2.png,blue\n", ["f", "c"], [["1.png", "2.png"], ["red", "blue"]]),
        ("a,b\n1,NA\n,2\n", ["a", "b"], [["1", ""], ["NA", "2"]]),
        ("a,b\n1,\n2,\n", ["a", "b"], [["1", "2"], ["", ""]]),
        ('a,b\n1,"x\ny"\n2,z\n', ["a", "b"], [["1", "2"], ["x\ny", "z"]]),
    ],
)
def test_dialects(read, text, names, columns):
    assert read(text) == (names, columns)


def test_a_header_of_words_over_words_is_known_by_the_number_of_rows(read):
    assert read("c,d\nred,x\nblue,y\n")[0] == ["", ""]
    assert read("c,d\nred,x\nblue,y\n", rows=2)[0] == ["c", "d"]
    assert read("c,d\nred,x\nblue,y\n", header=True)[0] == ["c", "d"]


def test_what_numpy_writes_is_read(tmp_path: Path):
    numbers = np.random.default_rng(0).normal(size=(5, 3))
    for delimiter in (" ", ",", ";", "\t"):
        for header in ("", delimiter.join("abc"), "by numpy\n" + delimiter.join("abc")):
            np.savetxt(tmp_path / "n.txt", numbers, delimiter=delimiter, header=header, footer="end")
            table = read_text_table(tmp_path / "n.txt")
            assert [column.name for column in table.columns] == (list("abc") if header else [""] * 3)
            read = np.array([column.cells for column in table.columns], float).T
            assert (read == numbers).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv: it is empty"),
        ("\n \n", "it is empty"),
        (",,\n,,\n", "all of its cells are empty"),
        ("x,\u00e9\n".encode("utf-16"), "no text in UTF-8"),
        ("x,\u00e9\n".encode("latin-1"), "no text in UTF-8"),
        ("a,b\n1,\0\n", "zero bytes"),
        ("a,b\n1,2\n3\n", "line 1 has 2, line 3 has 1"),
        ("# x\n1 2\n3\n", "separated by blanks.* line 2 has 2, line 3 has 1"),
        ("a,b\n" + "x" * 200_000 + ",1\n", "field larger"),
        ("1,5;2,5\n3,5;4,5\n", r"'1,5' in it, a number with a decimal comma: write numbers with a point"),
        ("1,5 2,5\n3,5 4,5\n", "decimal comma"),
        ('"1,5","2,5"\n"3,5","4"\n', "decimal comma"),
        ("1,5\t2\n3\t4\n", "decimal comma"),
        ("z\n0,5\n1,5\n2,25\n", "A decimal comma"),
        ("0,50\n1,05\n2,25\n", r"'1,05' in it, which looks like a number with a decimal comma"),
        ("light blue\ndark red\n", "may be one column or 2"),
        ("a;b,c\nd;e,f\n", "with semicolons or with commas"),
        ('a,b\n1,"x\n2,y\n', "line 2 has a double quote that is not closed"),
        ('a,b\n"1\n",2\n3,"4', "line 4 has a double quote that is not closed"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_remedy(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_text_table(tmp_path / "none.csv")


def test_endings():
    assert all(is_text_table(Path(name)) for name in ("a.csv", "a.CSV", "a.tsv", "a.Txt"))
    assert not any(is_text_table(Path(name)) for name in ("a.npy", "a.npz", "csv"))


WORDS = st.text("abcxyzäß", min_size=1, max_size=6)
NUMBERS = st.integers(-(10**6), 10**6).map(str) | st.floats(-1e6, 1e6, allow_subnormal=False).map(repr)


@st.composite
def tables(draw) -> tuple[list[str], list[list[str]]]:
    """A header, and rows with a column of numbers in them."""
    width, rows = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    names = draw(st.lists(WORDS, min_size=width, max_size=width, unique=True))
    kinds = [NUMBERS, *(draw(st.sampled_from((NUMBERS, WORDS))) for _ in range(width - 1))]
    return names, [[draw(kind) for kind in kinds] for _ in range(rows)]


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=tables(),
    delimiter=st.sampled_from(list(SEPARATORS)),
    quoting=st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    mark=st.booleans(),
    end=st.sampled_from(("\n", "\r\n")),
    trailing=st.booleans(),
    padding=st.sampled_from(("", " ", "  ")),
    comment=st.booleans(),
)
def test_random_tables_in_random_dialects_come_back(
    tmp_path, table, delimiter, quoting, mark, end, trailing, padding, comment
):
    names, rows = table
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows([names, *rows])
    lines = text.getvalue().splitlines()
    lines = [padding + line + (delimiter if trailing else "") + padding for line in lines]
    if comment:
        lines[0] = "# " + lines[0]
    (tmp_path / "t.csv").write_bytes(("\ufeff" * mark + end.join(lines) + end).encode())
    read = read_text_table(tmp_path / "t.csv")
    assert [column.name for column in read.columns] == names
    assert [list(cells) for cells in zip(*(column.cells for column in read.columns))] == rows
    assert read.separator == (SEPARATORS[delimiter] if len(names) > 1 else None) or len(names) == 1
