import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from unweave.data.reading import archives

MEMBERS = {f"{folder}/{i}.png": random.Random(i).randbytes(900 + i) for i in range(4) for folder in ("b", "a")}
TAR_MODES = {"a.tar": "w:", "a.tar.gz": "w:gz", "a.tar.bz2": "w:bz2", "a.tar.xz": "w:xz"}


def header(name, size=0, **fields):
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def write_tar(path, content, mode="w:", headers=()):
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as file:
        for name, data in content.items():
            file.addfile(header(name, len(data)), io.BytesIO(data))
        for info in headers:
            file.addfile(info)
    return path


def write_zip(path, content, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def open_png(path):
    return archives.open_archive(path, (".png",))


@pytest.mark.parametrize("name", ["a.zip", *TAR_MODES])
def test_members_are_found_and_read_in_any_order(tmp_path, name):
    path = tmp_path / name
    write_zip(path, MEMBERS) if name == "a.zip" else write_tar(path, MEMBERS, TAR_MODES[name])
    opened = open_png(path)
    assert opened.in_order == (name not in ("a.zip", "a.tar"))
    names = [member.name for member in opened.members]
    assert names == (list(MEMBERS) if opened.in_order else sorted(MEMBERS))
    for member in [*opened.members, *opened.members[::-2]]:
        assert opened.read(member, 10_000) == MEMBERS[member.name]
    with pytest.raises(ValueError, match="it has 900 bytes, more than 899"):
        opened.read(opened.members[names.index("a/0.png")], 899)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_other_and_hidden_members_are_left_out_and_the_last_of_a_name_counts(tmp_path, name):
    content = {
        "./b.PNG": b"1",
        "a.png": b"old",
        ".hidden/a.png": b"2",
        "._a.png": b"3",
        "__MACOSX/a.png": b"4",
        "notes.txt": b"5",
        "more.zip": b"6",
        "folder.png/c.png": b"7",
    }
    path = tmp_path / name
    if name == "a.zip":
        write_zip(path, content)
        with zipfile.ZipFile(path, "a") as file:
            file.mkdir("e.png")
            with pytest.warns(UserWarning, match="Duplicate"):
                file.writestr("a.png", b"new")
    else:
        headers = [header("./a.png", 3), header("e.png", type=tarfile.DIRTYPE)]
        with tarfile.open(path, "w:gz" if name == "a.tgz" else "w:") as file:
            for member, data in content.items():
                file.addfile(header(member, len(data)), io.BytesIO(data))
            file.addfile(headers[0], io.BytesIO(b"new"))
            file.addfile(headers[1])
    opened = open_png(path)
    read = {member.name: opened.read(member, 9) for member in opened.members}
    assert read == {"a.png": b"new", "b.PNG": b"1", "folder.png/c.png": b"7"}
    assert list(read) == (sorted(read) if name != "a.tgz" else ["b.PNG", "folder.png/c.png", "a.png"])


@pytest.mark.parametrize(
    "name", ["../a.png", "a/../../b.png", "/etc/a.txt", "\\a.png", "a\\..\\..\\b", "C:\\a.png", "c:a"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_escape_are_refused(tmp_path, name, kind):
    path = tmp_path / f"a.{kind}"
    (write_zip if kind == "zip" else write_tar)(path, {"ok.png": b"1", name: b"2"})
    with pytest.raises(archives.RefusedArchiveError, match=r"a\.\w+ holds .*a path that escapes the archive"):
        open_png(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = write_tar(tmp_path / "a.tar", {"a.png": b"1"}, headers=[header("b.png", type=kind, linkname="a.png")])
    with pytest.raises(archives.RefusedArchiveError, match=r"holds 'b\.png', a link, a device .*--dereference"):
        open_png(path)


def test_links_in_a_zip_and_files_with_holes_are_refused(tmp_path):
    link = zipfile.ZipInfo("b.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    headers = [header("b.png", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "99999999"})]
    write_tar(tmp_path / "a.tar", {}, headers=headers)
    for name in ("a.zip", "a.tar"):
        with pytest.raises(archives.RefusedArchiveError, match=r"holds 'b\.png', a link"):
            open_png(tmp_path / name)


def test_encrypted_and_unusual_zips_are_refused(tmp_path):
    data = bytearray(write_zip(tmp_path / "a.zip", {"a.png": b"1"}).read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(archives.RefusedArchiveError, match=r"a\.zip is encrypted \('a\.png'\): unpack it"):
        open_png(tmp_path / "a.zip")
    write_zip(tmp_path / "b.zip", {"a.png": b"1"}, zipfile.ZIP_LZMA)
    with pytest.raises(archives.RefusedArchiveError, match=r"in an unusual way .*method 14.*zip -r"):
        open_png(tmp_path / "b.zip")


def test_zip_bombs_are_refused_by_what_they_announce(tmp_path):
    content = write_zip(tmp_path / "a.zip", {"a.png": bytes(1 << 20)}).read_bytes()
    position, end = content.index(b"PK\1\2"), bytearray(content[content.index(b"PK\5\6") :])
    entry = content[position : content.index(b"PK\5\6")]
    shared = [
        entry.replace(b"a.png", b"%c.png" % letter) for letter in range(97, 117)
    ]  # all of one compressed megabyte
    single = bytearray(entry)
    struct.pack_into("<I", single, 24, 20 << 20)  # announces 20 MB
    for entries in (shared, [single]):
        struct.pack_into("<HHI", end, 8, len(entries), len(entries), len(entries) * len(entry))
        (tmp_path / "a.zip").write_bytes(content[:position] + b"".join(entries) + end)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(archives, "ALWAYS_ALLOWED", 16 << 20)
            with pytest.raises(
                archives.RefusedArchiveError, match="to 20,971,520 bytes or more, over 200 times what it takes"
            ):
                open_png(tmp_path / "a.zip")
        assert len(open_png(tmp_path / "a.zip").members) == len(entries)


def test_a_member_gives_no_more_than_it_announces(tmp_path):
    data = bytearray(write_zip(tmp_path / "a.zip", {"a.png": bytes(20 << 20)}).read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, 1000)  # it holds 20 MB
    (tmp_path / "a.zip").write_bytes(data)
    opened = open_png(tmp_path / "a.zip")
    tracemalloc.start()
    with pytest.raises(ValueError, match="Bad CRC"):
        opened.read(opened.members[0], 10_000)
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_zeros_fail_fast_and_small(tmp_path, monkeypatch, compress):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 2 << 20)
    first = header("a.png", 10 << 30).tobuf()
    for zeros in (bytes(8 << 20), first + bytes(12 << 20)):
        (tmp_path / "a.tar.gz").write_bytes(compress(zeros))
        tracemalloc.start()
        with pytest.raises(archives.RefusedArchiveError, match=r"times what it takes.*If you trust it, unpack it"):
            open_png(tmp_path / "a.tar.gz")
        assert tracemalloc.get_traced_memory()[1] < 11 << 20  # an xz stream keeps 8 MB
        tracemalloc.stop()


def test_lists_of_members_are_bounded(tmp_path, monkeypatch):
    write_tar(tmp_path / "a.tar", {"x" * 200_000: b"1"})
    with pytest.raises(archives.RefusedArchiveError, match=r"describes its members in 20\d,\d+ bytes at once"):
        open_png(tmp_path / "a.tar")
    monkeypatch.setattr(archives, "MAX_DIRECTORY_BYTES", 200)
    with pytest.raises(archives.RefusedArchiveError, match="describes its members"):
        open_png(write_zip(tmp_path / "a.zip", MEMBERS))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 7)
    with pytest.raises(archives.RefusedArchiveError, match="has more than 7 members"):
        open_png(write_tar(tmp_path / "a.tar", MEMBERS))


@pytest.mark.parametrize("name", ["a.zip", *TAR_MODES])
def test_archives_that_are_cut_short_are_refused_wherever_it_is(tmp_path, name):
    path = tmp_path / name
    write_zip(path, MEMBERS) if name == "a.zip" else write_tar(path, MEMBERS, TAR_MODES[name])
    content = path.read_bytes()
    end = len(content) if name != "a.tar" else content.rindex(MEMBERS["a/3.png"]) + 903 + 800  # zeros follow
    for size in [0, 1, 5, *range(100, end, end // 12), end - 1 if name != "a.tar" else end // 1024 * 1024]:
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"cannot be read as a zip or tar") as error:
            open_png(path)
        assert name in str(error.value)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_damaged_header_in_the_middle_is_no_end(tmp_path, name):
    path = write_tar(tmp_path / "a.tar", MEMBERS)
    content = bytearray(path.read_bytes())
    content[content.index(b"a/2.png") + 110] ^= 0x55
    (tmp_path / name).write_bytes(content if name == "a.tar" else gzip.compress(content))
    with pytest.raises(ValueError, match=r"cannot be read as a zip or tar.*(checksum|header)"):
        open_png(tmp_path / name)


def test_negative_sizes_are_refused(tmp_path):
    info = header("b.png", -512)
    first = tarfile.TarInfo("a.png").tobuf()
    (tmp_path / "a.tar").write_bytes(first + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ValueError, match=r"'b\.png' is damaged"):
        open_png(tmp_path / "a.tar")


def test_mutated_archives_raise_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    fine, messages = 0, []
    for name in ("a.zip", *TAR_MODES):
        path = tmp_path / name
        write_zip(path, MEMBERS) if name == "a.zip" else write_tar(path, MEMBERS, TAR_MODES[name])
        content = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(20):
            data = content.copy()
            positions = rng.integers(0, len(data), rng.integers(1, 9))
            data[positions] = rng.integers(0, 256, len(positions))
            path.write_bytes(data[: rng.integers(1, 2 * len(data))].tobytes())
            try:
                opened = open_png(path)
                for member in opened.members:
                    opened.read(member, 10_000)
                    fine += 1
            except ValueError as error:
                messages.append(str(error))
    assert fine > 50
    assert len(messages) > 20
    assert all(messages)


def test_names_of_a_tar_that_ends_in_a_zip_are_its_own(tmp_path):
    inner = write_zip(tmp_path / "inner.zip", {"secret.txt": b"text"}, zipfile.ZIP_STORED)
    tar = write_tar(tmp_path / "a.tar", {"a.png": b"picture", "inner.zip": inner.read_bytes()})
    assert zipfile.is_zipfile(tar)
    assert archives.file_names(tar) == ["a.png", "inner.zip"]
    assert archives.file_names(inner) == ["secret.txt"]
