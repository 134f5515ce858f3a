from pathlib import Path

import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.reading import labels

FILES = ("a/1.png", "a/2.png", "b/3.png")


@pytest.fixture
def read(tmp_path):
    def read_text(text, files=FILES, factors=None, encoding="utf-8"):
        (tmp_path / "l.csv").write_bytes(text.encode(encoding))
        return labels.from_csv(tmp_path / "l.csv", files, factors)

    return read_text


def test_rows_are_found_by_path_in_any_order_and_others_passed_over(read):
    got = read("file,x,kind\nb/3.png,10,cat\na/1.png,-2,dog\nnone.png,7,bird\n./a/2.png,10,cat\n")
    assert (got.names, got.sizes) == (("x", "kind"), (2, 2))
    assert got.classes.tolist() == [[0, 1], [1, 0], [1, 0]]


def test_rows_are_found_by_unique_name_or_the_end_of_the_path(read):
    assert read("file,x\n3.png,5\n1.png,6\n2.png,7\n").classes[:, 0].tolist() == [1, 2, 0]
    deep = [f"top/{file}" for file in FILES]
    assert read("file,x\nb\\3.png,5\na/1.png,6\ntop/a/2.png,7\n", deep).classes[:, 0].tolist() == [1, 2, 0]


def test_the_whole_path_goes_before_the_name(read):
    got = read("file,x\n1.png,9\na/1.png,4\na/2.png,4\nb/3.png,4\n", (*FILES, "1.png"))
    assert got.classes[:, 0].tolist() == [0, 0, 0, 1]


def test_numbers_are_numbered_as_numbers_and_words_as_words(read):
    got = read("file,n,w,f\n1.png,10,10,1.0\n2.png,9,9,2\n3.png,-1,x,1e3\n")
    assert got.classes.T.tolist() == [[2, 1, 0], [0, 1, 2], [0, 1, 2]]
    large = read("file,n\n1.png,9007199254740993\n2.png,9007199254740992\n3.png,0\n")
    assert large.classes[:, 0].tolist() == [2, 1, 0]


def test_a_mark_at_the_start_blanks_and_windows_lines(read):
    text = '\ufefffile, "x", y\r\n\r\n1.png, 1, "a, b"\r\n2.png, 2, c\r\n3.png, 2, c\r\n'
    got = read(text)
    assert (got.names, got.classes.tolist()) == (("x", "y"), [[0, 0], [1, 1], [1, 1]])


def test_columns_are_chosen(read):
    text = "file,x,y,angle\n1.png,1,2,0.5\n2.png,1,3,0.7\n3.png,2,3,0.1\n"
    got = read(text, factors=("y", "x"))
    assert (got.names, got.classes.tolist()) == (("y", "x"), [[0, 0], [1, 0], [1, 1]])
    with pytest.raises(SettingsError, match=r"has no column 'angel'\. Did you mean 'angle'\? It has: x, y, angle"):
        read(text, factors=("angel",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,x\na/1.png,1\n", r"1 rows, and 2 of 3 images have none: a/2\.png, b/3\.png\. Its first column"),
        ("file,x\n1.png,1\n2.png,1\n3.png,1\n1.png,2\n", r"has two rows for '1\.png'"),
        ("file,x\na/1.png,1\n./a/1.png,1\n", r"has two rows for '\./a/1\.png'"),
        ("file,x,x\n1.png,1,1\n2.png,1,1\n3.png,1,1\n", "has two columns 'x'"),
        ("file,x\n1.png,1\n2.png,0.5\n3.png,1\n", r"column 'x' of .*l\.csv has numbers that are not whole \(0\.5\)"),
        ("file,x\n1.png,1\n2.png,nan\n3.png,1\n", r"has no 'x' for 'a/2\.png' \(it is 'nan'\): fill every cell"),
        ("file,x\n1.png,1\n2.png,\n3.png,1\n", r"has no 'x' for 'a/2\.png': fill every cell"),
        ("file,x\n1.png,1\n2.png\n3.png,1\n", r"every line needs the same number of columns .* line 3 has 1"),
        ("file\n1.png\n", "two or more columns"),
        ("", "it is empty"),
        ("file,x\n1.png,\0\n" + "a" * 200_000, r"cannot be read as \.csv"),
    ],
)
def test_tables_that_cannot_be_used_are_explained(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_one_row_for_two_images_is_refused(read):
    with pytest.raises(ValueError, match=r"for '1\.png' fits both a/1\.png and b/1\.png: write the folders"):
        read("file,x\n1.png,3\n", ("a/1.png", "b/1.png"))


def test_other_files_are_no_tables(read):
    with pytest.raises(ValueError, match=r"l\.csv cannot be read as \.csv"):
        read("file,x\n1.png,\u00e9\n", encoding="utf-16")


def test_folder_names_are_classes():
    got = labels.from_folders(FILES, "here")
    assert (got.names, got.sizes, got.classes.tolist()) == (("folder",), (2,), [[0], [0], [1]])


def test_nested_folders_are_a_factor_each_and_numbers_are_in_order():
    got = labels.from_folders(("9/x/1.png", "10/y/1.png", "10/x/2.png"), "here")
    assert (got.names, got.classes.tolist()) == (("folder_1", "folder_2"), [[0, 0], [1, 1], [1, 0]])


@pytest.mark.parametrize(
    ("files", "depths"), [(("a/1.png", "2.png"), "0 and 1"), (("1.png",), "0"), (("a/1.png", "a/b/1.png"), "1 and 2")]
)
def test_folders_of_different_depths_are_refused(files, depths):
    with pytest.raises(
        ValueError, match=f"every image of here in a folder, all at one depth; they lie {depths} folders"
    ):
        labels.from_folders(files, "here")


def test_arrays_of_any_integers():
    got = labels.from_array(np.array([[7, 1], [-3, 1], [7, 0]], np.int8), np.array(["a", "b"]), 3, "here")
    assert (got.names, got.sizes, got.classes.tolist()) == (("a", "b"), (2, 2), [[1, 1], [0, 1], [1, 0]])
    assert labels.from_array(np.array([[True], [False]]), None, 2, "here").classes.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("factors", "names", "message"),
    [
        (np.zeros((2, 2), int), None, "got 2 rows for 3 images"),
        (np.zeros((3, 2)), None, "must be integers .* got float64; cut continuous"),
        (np.zeros(3, int), None, r"one factor is factors\[:, None\]"),
        (np.zeros((3, 2), int), ["a"], "must be 2 strings"),
        (np.zeros((3, 2), int), ["a", "a"], "must differ, got 'a' twice"),
    ],
)
def test_arrays_that_are_no_factors_are_explained(factors, names, message):
    with pytest.raises(ValueError, match=message):
        labels.from_array(factors, None if names is None else np.array(names), 3, "here")


def test_a_missing_header_is_noticed(read):
    with pytest.raises(ValueError, match=r"needs a header: its first line is the row of '1\.png' already"):
        read("1.png,5\n2.png,6\n3.png,7\n")


def test_words_that_differ_stay_different(read):
    assert read("file,n\n1.png,1_0\n2.png,10\n3.png,x\n").sizes == (3,)
    assert read("file,n\n1.png,18446744073709551615\n2.png,18446744073709551614\n3.png,7\n").sizes == (3,)


TABLES = Path(__file__).parents[1] / "tables" / "labels"
PLAIN = tuple(f"im{i:02}.png" for i in range(12))


@pytest.mark.parametrize(
    "name", ["abspath", "head_space", "indexcol", "num_space", "semi", "trail_space", "case_words"]
)
def test_labels_as_people_write_them(name):
    plain = labels.from_csv(TABLES / "plain.csv", PLAIN, None)
    read = labels.from_csv(TABLES / f"{name}.csv", PLAIN, None)
    assert read.names == plain.names == ("shape", "colour")
    assert plain.sizes == (3, 2)
    if name == "case_words":  # words that differ in capitals are other words
        assert read.sizes == (3, 3)
    else:
        assert (read.classes == plain.classes).all()


@pytest.mark.parametrize(("name", "cell"), [("na", "NA"), ("nan_word", "nan")])
def test_a_missing_label_is_no_class(name, cell):
    with pytest.raises(ValueError, match=rf"has no 'colour' for 'im03\.png' \(it is '{cell}'\)"):
        labels.from_csv(TABLES / f"{name}.csv", PLAIN, None)
    assert labels.from_csv(TABLES / f"{name}.csv", PLAIN, ["shape"]).sizes == (3,)


def test_a_column_with_another_value_in_each_row_is_left_out_unless_it_is_asked_for(tmp_path, caplog):
    lines = [f"{name},{7 * i % 13},{i % 2}" for i, name in enumerate(PLAIN)]
    (tmp_path / "l.csv").write_text("\n".join(["file,subject,side", *lines]))
    assert labels.from_csv(tmp_path / "l.csv", PLAIN, None).names == ("side",)
    assert "column 2 (subject) is left out, as every row has a value of its own" in caplog.text
    assert labels.from_csv(tmp_path / "l.csv", PLAIN, ["subject"]).sizes == (12,)
    (tmp_path / "l.csv").write_text("\n".join(["file,id", *(f"{name},{i}" for i, name in enumerate(PLAIN))]))
    with pytest.raises(ValueError, match="no factor besides"):
        labels.from_csv(tmp_path / "l.csv", PLAIN, None)


def test_two_long_paths_for_one_file_are_refused(tmp_path):
    (tmp_path / "l.csv").write_text("file,x\n/a/1.png,0\n/b/1.png,1\n")
    with pytest.raises(ValueError, match=r"two rows for '1\.png'"):
        labels.from_csv(tmp_path / "l.csv", ("1.png",), None)


def test_a_name_of_a_whole_page_is_refused() -> None:
    with pytest.raises(ValueError, match=r"of mine\.csv has a name of 2,000 characters .*at most 200"):
        labels.from_columns({"x" * 2_000: [0, 1]}, "mine.csv")


def test_classes_that_differ_in_case_are_said(caplog: pytest.LogCaptureFixture) -> None:
    assert labels.from_folders(["Red/a", "red/b", "blue/c"], "photos").sizes == (3,)
    assert "photos, folder: Red and red are classes of their own" in caplog.text
