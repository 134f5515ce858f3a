import json
import os
from pathlib import Path

import numba
import pytest

from unweave.files import (
    UnwritableError,
    check_safetensors,
    check_writable,
    compiled,
    read_json,
    read_text,
    temporary_path,
    write_atomically,
)


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


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableError, match=r"file/a\.json cannot be written"):
        write_atomically(tmp_path / "file" / "a.json", "")
    check_writable(tmp_path / "new" / "a.json")


def test_what_may_not_be_written_to_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UnwritableError, match="another place"):
        check_writable(tmp_path / "a.json")


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b"{", b"[" * 100_000])
def test_what_is_no_json_object_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json"):
        read_json(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (read_text, check_safetensors):
        with pytest.raises(ValueError, match="no regular file"):
            read(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_text(tmp_path / "none")


def test_a_header_of_very_many_tensors_is_refused(tmp_path: Path) -> None:
    tensor = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    for count, says in ((300_000, "header of"), (60_000, "more than 50,000"), (2, None)):
        header = json.dumps({str(i): tensor for i in range(count)}).encode()
        path = tmp_path / "a.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        if says is None:
            assert check_safetensors(path) == path
        else:
            with pytest.raises(ValueError, match=says):
                check_safetensors(path)
    path.write_bytes(b"\x05\0\0\0\0\0\0\0abcde")
    with pytest.raises(ValueError, match="damaged"):
        check_safetensors(path)


def test_without_a_folder_for_its_cache_a_function_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = numba.njit

    def without_cache(*functions: object, **options: object) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return whole(*functions, **options)

    monkeypatch.setattr(numba, "njit", without_cache)
    assert compiled()(_double)(3) == 6


def _double(number):  # type: ignore
    return 2 * number
