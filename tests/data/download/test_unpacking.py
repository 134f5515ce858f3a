import io
import json
import os
import struct
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from unweave.data.download import unpacking
from unweave.data.download.unpacking import is_unpacked, unpack
from unweave.data.reading import archives
from unweave.progress import Task

FILES = {"data/cars/a.mat": b"a" * 700, "data/b c.txt": b"", "é.bin": bytes(range(256)) * 4}


def write_tar(path, files=FILES, mode="w:gz", kind=tarfile.REGTYPE, **fields):
    with tarfile.open(path, mode) as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.mode = len(data), kind, 0o4777
            for key, value in fields.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(data))
    return path


def write_zip(path, files=FILES, mode=0):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("empty/")
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            file.writestr(info, data)
    return path


def contents_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("ending", ["zip", "tar", "gz", "bz2", "xz"])
def test_every_kind_of_archive(tmp_path, ending):
    archive = tmp_path / f"a.{ending}"
    write_zip(archive) if ending == "zip" else write_tar(archive, mode="w:" if ending == "tar" else f"w:{ending}")
    task, done = Task(), []
    task.update = done.append
    unpack(archive, tmp_path, "12", task)
    contents = contents_of(tmp_path)
    assert {name: contents[name] for name in FILES} == FILES
    assert set(contents) - set(FILES) == {archive.name, f"{archive.name}.unpacked"}
    assert done[-1] == sum(map(len, FILES.values()))
    assert is_unpacked(tmp_path, archive.name, "12")
    assert is_unpacked(tmp_path, archive.name, None)
    assert not is_unpacked(tmp_path, archive.name, "13")
    assert not (tmp_path / "é.bin").stat().st_mode & 0o6111  # no bits of the archive's choice


def test_what_is_there_is_not_unpacked_again_and_what_is_missing_is(tmp_path):
    archive = write_zip(tmp_path / "a.zip")
    unpack(archive, tmp_path, "12", Task())
    (tmp_path / "é.bin").write_bytes(bytes(1024))  # of the same size: is not read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "_extract", lambda *_: pytest.fail("unpacked again"))
        unpack(archive, tmp_path, "12", Task())
    (tmp_path / "é.bin").unlink()
    assert not is_unpacked(tmp_path, "a.zip", "12")
    unpack(archive, tmp_path, "12", Task())
    assert (tmp_path / "é.bin").read_bytes() == FILES["é.bin"]


@pytest.mark.parametrize("moment", ["_extract", "_check_not_in_the_way"])
def test_a_process_that_stops_halfway_is_noticed(tmp_path, monkeypatch, moment):
    archive = write_zip(tmp_path / "a.zip")
    calls = []

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unpacking, moment, stop)
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, tmp_path, "12", Task())
    assert not is_unpacked(tmp_path, "a.zip", "12")
    left = tmp_path / ".a.zip.unpacking"
    left.mkdir()  # as after a kill
    (left / "junk").write_text("x")
    (tmp_path / "é.bin").write_bytes(FILES["é.bin"])  # was in its place already
    unpack(archive, tmp_path, "12", Task())
    assert is_unpacked(tmp_path, "a.zip", "12")
    assert not left.exists()
    assert "junk" not in contents_of(tmp_path)


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "C:/x", "a\\..\\x", "a\nb", "..", "x" * 300, "a/" * 600 + "x"]
)
@pytest.mark.parametrize("make", [write_tar, write_zip])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, make, name):
    folder = tmp_path / "set"
    folder.mkdir()
    archive = make(folder / "a", {"good": b"1", name: b"2"})
    with pytest.raises(ValueError, match=r"a cannot be unpacked: .*If you trust it, unpack it yourself"):
        unpack(archive, folder, "12", Task())
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "a"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    archive = write_tar(tmp_path / "a.tgz", {"x": b""}, kind=kind, linkname="/etc/passwd")
    with pytest.raises(ValueError, match="holds 'x', a link, a device"):
        unpack(archive, tmp_path, "12", Task())
    assert list(contents_of(tmp_path)) == ["a.tgz"]


def test_links_in_a_zip_are_refused(tmp_path):
    with pytest.raises(ValueError, match="holds 'x', a link, a device"):
        unpack(write_zip(tmp_path / "a.zip", {"x": b"/etc/passwd"}, mode=0o120777), tmp_path, "12", Task())


@pytest.mark.parametrize(("second", "message"), [("./x", "holds 'x' twice"), ("x/y", "File exists|Not a directory")])
def test_a_file_twice_or_below_a_file_is_refused(tmp_path, second, message):
    archive = write_tar(tmp_path / "a.tgz", {"x": b"1", second: b"1"})
    with pytest.raises(ValueError, match=message):
        unpack(archive, tmp_path, "12", Task())


@pytest.mark.parametrize("make", [write_tar, write_zip])
def test_a_bomb_is_refused(tmp_path, make, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1 << 20)
    archive = make(tmp_path / "a", {f"{i}": bytes(1 << 20) for i in range(4)})
    with pytest.raises(ValueError, match=r"unpacks to [0-9,]+ bytes or more, over 200 times what it takes"):
        unpack(archive, tmp_path, "12", Task())
    assert list(contents_of(tmp_path)) == ["a"]


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    (tmp_path / "a.tar").write_bytes(info.tobuf() + bytes(5_000))
    with pytest.raises(ValueError, match=r"describes its members in [0-9,]+ bytes at once"):
        unpack(tmp_path / "a.tar", tmp_path, "12", Task())


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path):
    archive = write_zip(tmp_path / "a.zip", {"x": b"abc" * 100})
    data = archive.read_bytes()
    lied = data.replace(struct.pack("<L", 300), struct.pack("<L", 200))
    assert lied != data
    archive.write_bytes(lied)
    with pytest.raises(ValueError, match=r"a\.zip cannot be unpacked"):
        unpack(archive, tmp_path, "12", Task())


@pytest.mark.parametrize("mode", ["zip", "w:", "w:gz", "w:bz2", "w:xz"])
def test_a_damaged_archive_is_an_error_or_unpacked_whole(tmp_path, mode):
    files = {f"{i}.bin": np.random.default_rng(i).bytes(900) for i in range(5)}
    archive = tmp_path / "a"
    data = (write_zip(archive, files) if mode == "zip" else write_tar(archive, files, mode)).read_bytes()
    rng = np.random.default_rng(0)
    damaged = [data[: len(data) * i // 5] for i in range(5)]
    for _ in range(20):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        damaged.append(bytes(changed))
    refused = 0
    for i, content in enumerate(damaged):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / "a").write_bytes(content)
        try:
            unpack(folder / "a", folder, "12", Task())
            assert len(contents_of(folder)) == len(files) + 2
        except ValueError:
            refused += 1
            assert os.listdir(folder) == ["a"]
    assert refused >= 5


def test_something_else_is_no_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no archive at all")
    with pytest.raises(ValueError, match=r"a\.zip cannot be unpacked"):
        unpack(tmp_path / "a.zip", tmp_path, "12", Task())


def test_other_files_are_not_overwritten(tmp_path):
    archive = write_zip(tmp_path / "a.zip")
    (tmp_path / "é.bin").write_text("mine")
    with pytest.raises(ValueError, match=r"é\.bin is in the way of .*: move it elsewhere first"):
        unpack(archive, tmp_path, "12", Task())
    (tmp_path / "é.bin").unlink()
    (tmp_path / "data").write_text("mine")
    with pytest.raises(ValueError, match=r"data is in the way"):
        unpack(archive, tmp_path, "12", Task())
    assert sorted(contents_of(tmp_path)) == ["a.zip", "data"]


def test_no_space_is_not_damage(tmp_path, monkeypatch):
    archive = write_zip(tmp_path / "a.zip")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(OSError, match="no space left"):
        unpack(archive, tmp_path, "12", Task())
    assert os.listdir(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"sha256": "12", "files": {"a.zip/x": 1}})])
def test_a_damaged_record_means_nothing(tmp_path, text):
    (tmp_path / "a.zip").write_text("")
    (tmp_path / "a.zip.unpacked").write_text(text)
    assert not is_unpacked(tmp_path, "a.zip", "12")
