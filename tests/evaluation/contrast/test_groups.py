from pathlib import Path

import numpy as np
import pytest
from tests.data.in_memory import InMemory

from unweave.evaluation.contrast.groups import Group, _fits, read_column, replicates_of


def dataset(files: tuple[str, ...]) -> InMemory:
    made = InMemory("m", np.zeros((len(files), 8, 8, 1), np.uint8))
    made.files = files
    return made


def test_cells_are_found_by_the_names_of_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,plate,size\nb.png,two,9\na.png,one,12\n")
    both = dataset(("x/a.png", "x/b.png", "x/a.png"))
    assert read_column(f"{tmp_path}/t.csv:plate", both) == ["one", "two", "one"]
    with pytest.raises(LookupError, match=r"no column 'plates'\. Did you mean 'plate'\?"):
        read_column(f"{tmp_path}/t.csv:plates", both)


@pytest.mark.parametrize(
    ("cell", "wanted", "fits"),
    [("9", "9", True), ("9.0", "9", True), ("a", "a", True), ("a", "b", False), ("9", "<12", True),
     ("12", "<12", False), ("12", ">=12", True), ("13", "<= 12", False), ("NA", "<12", False), ("-3", "> -4", True)],
)  # fmt: skip
def test_cells_are_values_or_compare(cell: str, wanted: str, fits: bool) -> None:
    assert _fits(cell, wanted) == fits


def test_tiles_of_a_picture_are_one_replicate() -> None:
    tiles = dataset(("a.tif", "a.tif", "b.tif", "c.tif"))
    tiles.boxes = np.zeros((4, 4), np.int64)
    whole = dataset(("a.tif", "b.tif"))
    of_tiles, of_whole = Group("t", tiles, np.arange(4)), Group("w", whole, np.arange(2))
    assert replicates_of((of_tiles, of_tiles), None).tolist() == [0, 0, 1, 2, 3, 3, 4, 5]
    assert replicates_of((of_whole, of_whole), None) is None


def test_folders_are_replicates() -> None:
    both = dataset(("p1/a.png", "p1/b.png", "p2/a.png"))
    group = Group("g", both, np.array([0, 2]))
    assert replicates_of((group, group), "folders").tolist() == [0, 1, 0, 1]
    flat = Group("g", dataset(("a.png",)), np.array([0]))
    with pytest.raises(ValueError, match="lie in no folders of their own"):
        replicates_of((flat, flat), "folders")
