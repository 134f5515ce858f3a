from pathlib import Path

import numpy as np
import pytest
from tests.data.in_memory import InMemory

from unweave.data.settings import Reading
from unweave.evaluation.contrast.groups import Group, _fitting, picture_files, read_column, replicates_of


def dataset(files: tuple[str, ...]) -> InMemory:
    made = InMemory("m", np.zeros((len(files), 8, 8, 1), np.uint8))
    made.files = files
    return made


def test_cells_are_found_by_the_names_of_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,plate,size\nb.png,two,9\na.png,one,12\n")
    both = ("x/a.png", "x/b.png", "x/a.png")
    assert read_column(f"{tmp_path}/t.csv:plate", both) == ["one", "two", "one"]
    with pytest.raises(LookupError, match=r"no column 'plates'\. Did you mean 'plate'\?"):
        read_column(f"{tmp_path}/t.csv:plates", both)
    with pytest.raises(ValueError, match=r"no file '.*u\.csv'; '.*u\.csv:plate' is a table and its column"):
        read_column(f"{tmp_path}/u.csv:plate", both)


@pytest.mark.parametrize(
    ("cell", "wanted", "fits"),
    [("9", "9", True), ("9.0", "9", True), ("a", "a", True), ("a", "b", False), ("9", "<12", True),
     ("12", "<12", False), ("12", ">=12", True), ("13", "<= 12", False), ("NA", "<12", False), ("-3", "> -4", True),
     ("900", "<1e+3", True), ("501", "<.5E3", False), ("nan", "<1", False)],
)  # fmt: skip
def test_cells_are_values_or_compare(cell: str, wanted: str, fits: bool) -> None:
    assert _fitting([cell], wanted) == [fits]


def test_a_comparison_is_with_a_number_or_is_a_value() -> None:
    for wanted in ("<1.2.3", "<twelve", "<nan"):
        with pytest.raises(ValueError, match="compares with no number: write it as"):
            _fitting(["1", "2"], wanted)
    assert _fitting([">50K", "<=50K"], ">50K") == [True, False]


def test_tiles_of_a_picture_are_one_replicate() -> None:
    tiles = dataset(("a.tif", "a.tif", "b.tif", "c.tif"))
    tiles.boxes = np.zeros((4, 4), np.int64)
    whole = dataset(("a.tif", "b.tif"))
    of_tiles, of_whole = Group("t", tiles, np.arange(4)), Group("w", whole, np.arange(2))
    assert replicates_of((of_tiles, of_tiles), None).tolist() == [0, 0, 1, 2, 3, 3, 4, 5]
    assert replicates_of((of_whole, of_whole), None) is None


def test_tiles_of_either_group_keep_the_rows_of_both_together() -> None:
    tiles = dataset(("a.tif", "a.tif", "b.tif"))
    whole, arrays = dataset(("a.tif", "b.tif")), dataset(())
    arrays._pixels = np.zeros((2, 8, 8, 1), np.uint8)
    of_tiles = Group("t", tiles, np.arange(3))
    for other in (whole, arrays):
        group = Group("w", other, np.arange(2))
        assert replicates_of((group, of_tiles), None).tolist() == [0, 1, 2, 2, 3]
        assert replicates_of((of_tiles, group), None).tolist() == [0, 0, 1, 2, 3]


def test_pages_are_of_their_file() -> None:
    pages = dataset(("a.tif#0", "a.tif#1", "b.tif"))
    pages.reading = Reading(channels="grey", pages="images", range=((0, 255),))
    assert picture_files(pages) == ["a.tif", "a.tif", "b.tif"]


def test_folders_are_replicates() -> None:
    files = ("p1/a.png", "p1/b.png", "p2/a.png")
    group, rows = Group("g", dataset(files), np.array([0, 2])), np.array([0, 2])
    assert replicates_of((group, group), "folders").tolist() == [0, 1, 0, 1]
    assert replicates_of((group, Group("h", dataset(files), rows)), "folders").tolist() == [0, 1, 2, 3]
    for without in (("a.png",), ()):
        flat = Group("g", dataset(without), np.arange(len(without)))
        for pair in ((flat, flat), (group, flat)):
            with pytest.raises(ValueError, match="lie in no folders of their own"):
                replicates_of(pair, "folders")


def test_a_row_of_a_table_is_of_one_file(tmp_path: Path) -> None:
    a, b = (Group(name, dataset(("1.png", "2.png")), np.arange(2)) for name in ("control", "treated"))
    table = tmp_path / "t.csv"
    table.write_text("file,animal\n1.png,x\n2.png,y\n")
    with pytest.raises(ValueError, match=r"fits both control/1\.png and treated/1\.png: write the folders too"):
        replicates_of((a, b), f"{table}:animal")
    table.write_text("file,animal\ncontrol/1.png,x\ncontrol/2.png,y\ntreated/1.png,x\ntreated/2.png,y\n")
    assert replicates_of((a, b), f"{table}:animal").tolist() == [0, 1, 0, 1]
    table.write_text("file,animal\n1.png,x\n2.png,y\n3.png,x\n")
    other = Group("treated", dataset(("3.png",)), np.arange(1))
    assert replicates_of((a, other), f"{table}:animal").tolist() == [0, 1, 0]
    assert replicates_of((a, a), f"{table}:animal").tolist() == [0, 1, 0, 1]
