from pathlib import Path

import pytest
from PIL import Image

from unweave.figures.save import save_picture


def test_a_saved_picture_comes_back_and_nothing_else_is_left(tmp_path):
    picture = Image.new("RGB", (4, 3), (1, 2, 3))
    path = save_picture(picture, tmp_path / "new" / "a.png")
    with Image.open(path) as read:
        assert read.tobytes() == picture.tobytes()
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_overwritten_unasked(tmp_path):
    first, second = (Image.new("RGB", (2, 2), colour) for colour in ("red", "blue"))
    path = save_picture(first, tmp_path / "a.png")
    written = path.read_bytes()
    with pytest.raises(FileExistsError, match="is there already"):
        save_picture(second, path)
    assert path.read_bytes() == written
    assert save_picture(second, path, overwrite=True).read_bytes() != written


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_picture(Image.new("RGB", (2, 2), "red"), tmp_path / "a.png")
    written = path.read_bytes()

    def refuse(self, target):
        raise PermissionError("no")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        save_picture(Image.new("RGB", (2, 2), "blue"), path, overwrite=True)
    assert path.read_bytes() == written
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a", "a.txt"])
def test_an_ending_that_is_no_picture(tmp_path, name):
    with pytest.raises(ValueError, match="must end in a format for pictures"):
        save_picture(Image.new("RGB", (2, 2)), tmp_path / name)
