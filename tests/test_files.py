import os
from pathlib import Path

import pytest

from unweave.files import temporary_path, write_atomically


def test_what_is_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    assert write_atomically(tmp_path / "new" / "a.txt", "ä").read_text("utf-8") == "ä"
    assert write_atomically(tmp_path / "new" / "a.txt", b"b").read_bytes() == b"b"
    with pytest.raises(FileExistsError, match=r"a\.txt is there already"):
        write_atomically(tmp_path / "new" / "a.txt", "c", overwrite=False)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_an_error_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "a.json", "old")
    with pytest.raises(OSError, match="full"), temporary_path(path) as temporary:
        _write_half(temporary)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path: Path) -> None:
    path.write_text("ne")
    raise OSError("the disk is full")


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert write_atomically(tmp_path / "a", "").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)
