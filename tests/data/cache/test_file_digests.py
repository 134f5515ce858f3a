import os
import time
from pathlib import Path

import pytest

from unweave.data.cache.file_digests import digest_of_files, stamp_of_files


@pytest.fixture
def files(tmp_path):
    """Three files of a folder, written an hour ago."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    paths = [tmp_path / "in" / name for name in ("a", "b", "deep/c")]
    for i, file in enumerate(paths):
        write(file, bytes([i]) * 1000, 3600)
    return paths


def write(file, content, age):
    file.write_bytes(content)
    os.utime(file, (time.time() - age,) * 2)


def digest_for(files, base, digests=Path("/dev/null/none")):
    return digest_of_files(files, base, digests)


def test_it_names_bytes_names_and_order(files, tmp_path):
    first = digest_for(files, tmp_path / "in")
    assert len(first) == 64
    assert digest_for(files, tmp_path / "in") == first
    assert digest_for(files[::-1], tmp_path / "in") != first
    assert digest_for(files[:2], tmp_path / "in") != first
    assert digest_for(files, tmp_path) != first
    write(files[2], b"\2" * 999 + b"\3", 3600)
    changed = digest_for(files, tmp_path / "in")
    assert changed != first
    files[2].rename(tmp_path / "in" / "deep" / "d")
    assert digest_for([*files[:2], tmp_path / "in" / "deep" / "d"], tmp_path / "in") != changed


def test_a_folder_may_be_called_otherwise(files, tmp_path):
    first = digest_for(files, tmp_path / "in")
    (tmp_path / "in").rename(tmp_path / "out")
    moved = [tmp_path / "out" / file.relative_to(tmp_path / "in") for file in files]
    assert digest_for(moved, tmp_path / "out") == first
    os.chdir(tmp_path)
    assert digest_for([file.relative_to(tmp_path) for file in moved], Path("out")) == first


def test_a_file_outside_counts_by_its_bare_name(files, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "labels.csv", b"file,label", 3600)
    one, two = (digest_for([*files, tmp_path / folder / "labels.csv"], tmp_path / "in") for folder in ("one", "two"))
    assert one == two


def test_files_are_read_once(files, tmp_path, monkeypatch):
    first = digest_for(files, tmp_path, tmp_path / "memory")
    opened_paths = []
    original = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, *arguments, **keywords: (opened_paths.append(path), original(path, *arguments, **keywords))[1],
    )
    assert digest_for(files, tmp_path, tmp_path / "memory") == first
    assert {path.parent for path in opened_paths} <= {tmp_path / "memory"}
    os.utime(files[0], (1, 1))
    assert digest_for(files, tmp_path, tmp_path / "memory") == first
    assert files[1] in opened_paths


def test_a_file_that_just_changed_is_read_again(files, tmp_path):
    write(files[0], b"now", 0.2)
    digest_for(files, tmp_path, tmp_path / "memory")
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize("damage", [b"", b"0" * 63, b"\xff" * 64])
def test_a_damaged_memory_is_passed_over(files, tmp_path, damage):
    first = digest_for(files, tmp_path, tmp_path / "memory")
    (digest_file,) = (tmp_path / "memory").iterdir()
    digest_file.write_bytes(damage)
    assert digest_for(files, tmp_path, tmp_path / "memory") == first
    assert digest_file.read_text() == first


def test_what_is_remembered_is_of_one_base(files, tmp_path):
    assert digest_for(files, tmp_path, tmp_path / "memory") != digest_for(files, tmp_path / "in", tmp_path / "memory")


def test_without_a_place_to_remember_it_works(files, tmp_path):
    (tmp_path / "memory").write_text("a file, no folder")
    assert digest_for(files, tmp_path, tmp_path / "memory") == digest_for(files, tmp_path)


def test_stamps_tell_a_change_of_time_size_or_place(files, tmp_path):
    stamps = {stamp_of_files(files)}
    os.utime(files[0], (1, 1))
    stamps.add(stamp_of_files(files))
    write(files[0], b"other", 3600)
    os.utime(files[0], (1, 1))
    stamps.add(stamp_of_files(files))
    files[0].rename(tmp_path / "b")
    stamps.add(stamp_of_files([tmp_path / "b", *files[1:]]))
    assert len(stamps) == 4
    with pytest.raises(FileNotFoundError):
        stamp_of_files(files)


def test_a_changed_file_of_the_same_size_and_time_is_read_again(files, tmp_path):
    first, stat = digest_for(files, tmp_path, tmp_path / "memory"), files[0].stat()
    files[0].write_bytes(b"x" * stat.st_size)
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (files[0].stat().st_size, files[0].stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert digest_for(files, tmp_path, tmp_path / "memory") != first
