import bz2
import gzip
import io
import logging
import lzma
import pickle
import random
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.formats import archive, folder

MODES = {"a.tar": "w:", "a.tar.gz": "w:gz", "a.tgz": "w:gz", "a.tar.bz2": "w:bz2", "a.tar.xz": "w:xz"}


def picture(colour, ending="png", size=(30, 20)):
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, {"jpg": "JPEG"}.get(ending, ending.upper()))
    return data.getvalue()


CONTENT = {
    "z/2.jpg": picture((80, 80, 80), "jpg"),
    "a/1.png": picture((200, 200, 200)),
    "a/b/3.gif": picture((40, 40, 40), "gif"),
    "b/a.bmp": picture((120, 120, 120), "bmp"),
    "notes.txt": b"no image",
    ".hidden.png": b"",
    "__MACOSX/a/._1.png": b"",
    "inner.zip": b"PK",
}
GREYS = {"a/1.png": 200, "a/b/3.gif": 40, "b/a.bmp": 120, "z/2.jpg": 80}


def pack(path, content=CONTENT):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in content.items():
                file.writestr(name, data)
        return path
    with tarfile.open(path, MODES[path.name]) as file:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def load(path, **settings):
    return archive.build(archive.ArchiveSettings(path=path, size=16, **settings))


@pytest.mark.parametrize("name", ["a.zip", *MODES])
def test_every_kind_of_archive(tmp_path, name):
    dataset = load(pack(tmp_path / name))
    assert (len(dataset), dataset.shape, dataset.name, dataset.factor_names) == (4, (3, 16, 16), "a", ())
    in_order = name not in ("a.zip", "a.tar")
    assert list(dataset.files) == ([name for name in CONTENT if name in GREYS] if in_order else sorted(GREYS))
    greys = dataset.images(np.arange(4)).mean((1, 2, 3))
    assert abs(greys - [GREYS[name] for name in dataset.files]).max() < 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]  # nothing is unpacked


def test_a_zip_gives_what_its_folder_gives(tmp_path):
    for name, data in CONTENT.items():
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_bytes(data)
    from_folder = folder.build(folder.FolderSettings(path=tmp_path / "a", size=16))
    assert load(pack(tmp_path / "b.zip")).digest() == from_folder.digest()


def test_parts_are_read_in_any_order(tmp_path):
    content = {f"{i}.png": picture((i, 0, 0)) for i in range(200, 240)}
    for name in ("a.zip", "a.tar", "a.tgz"):
        source = archive.source(archive.ArchiveSettings(path=pack(tmp_path / name, content), size=8))
        assert source.in_order == (name == "a.tgz")
        for start, stop in ((30, 40), (0, 10), (5, 35)):
            assert source.read(start, stop).pixels[:, 4, 4, 0].tolist() == [*range(200 + start, 200 + stop)]


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_damaged_images_are_named_and_left_out(tmp_path, name, caplog, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 50_000)
    content = {f"{i}.png": picture((i, i, i)) for i in range(3)}
    content |= {"0a.png": picture((9, 9, 9))[:40], "1a.jpg": b"no image", "1b.gif": b"", "1c.png": bytes(50_001)}
    with caplog.at_level(logging.INFO, "unweave"):
        dataset = load(pack(tmp_path / name, content))
    assert dataset.images(np.arange(3))[:, 8, 8, 0].tolist() == [0, 1, 2]
    log = caplog.text
    for bad in ("0a.png", "1a.jpg", "1b.gif"):
        assert f"{name}: {bad} cannot be read and is left out: " in log
    assert "1c.png cannot be read and is left out: it has 50,001 bytes, more than 50,000" in log
    assert "4 of 7 files could not be read and are left out" in log


def test_a_damaged_member_of_a_zip_is_a_bad_row(tmp_path, caplog):
    rng = np.random.default_rng(0)
    noise = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(noise, "BMP")
    data = bytearray(pack(tmp_path / "a.zip", {"a.bmp": noise.getvalue(), "b.png": picture((7, 7, 7))}).read_bytes())
    data[2000:2010] = bytes(10)
    (tmp_path / "a.zip").write_bytes(data)
    assert load(tmp_path / "a.zip").files == ("b.png",)
    assert "a.zip: a.bmp cannot be read and is left out: " in caplog.text


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_nothing_is_unpickled(tmp_path):
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()  # the trap works
    (tmp_path / "sprung").unlink()
    path = pack(tmp_path / "a.zip", {"a.png": trap, "b.pkl": trap, "c.png": picture((9, 9, 9))})
    assert len(load(path)) == 1
    assert not (tmp_path / "sprung").exists()


def test_folder_names_are_factors_without_the_one_they_are_packed_in(tmp_path):
    image = picture((9, 9, 9))
    inside = {"cat/1.png": image, "dog/2.png": image, "cat/3.png": image}
    for top in ("", "pets/"):
        dataset = load(pack(tmp_path / "a.zip", {top + name: data for name, data in inside.items()}), labels="folders")
        assert (dataset.factor_names, dataset.factor_sizes) == (("folder",), (2,))
        assert dataset.factors(np.arange(3))[:, 0].tolist() == [0, 0, 1]
    dataset_of_one = load(pack(tmp_path / "a.zip", {"cat/1.png": image}), labels="folders")
    assert (dataset_of_one.factor_names, dataset_of_one.factor_sizes) == (("folder",), (1,))


def test_a_csv_beside_the_archive(tmp_path):
    (tmp_path / "labels.csv").write_text("file,x,y\n1.png,3,a\n3.gif,5,b\na.bmp,3,b\nz/2.jpg,4,b\n")
    pack(tmp_path / "a.tgz")
    for labels in (tmp_path / "labels.csv", "labels.csv"):
        dataset = load(tmp_path / "a.tgz", labels=labels)
        assert (dataset.factor_names, dataset.factor_sizes) == (("x", "y"), (3, 2))
        assert dataset.factors(np.arange(4)).tolist() == [[1, 1], [0, 0], [2, 1], [0, 1]]
    assert load(tmp_path / "a.tgz", labels="labels.csv", factors=("y",)).factor_names == ("y",)
    with pytest.raises(SettingsError, match=r"no file none\.csv; expected a table \(CSV or TSV\), or 'folders'"):
        load(tmp_path / "a.tgz", labels="none.csv")
    (tmp_path / "labels.csv").write_text("file,x\n1.png,3\n")
    with pytest.raises(ValueError, match=r"has 1 rows, and 3 of 4 images have none: z/2\.jpg"):
        load(tmp_path / "a.tgz", labels="labels.csv")


def test_what_cannot_be_read_is_explained(tmp_path):
    with pytest.raises(SettingsError, match=r"does not exist; expected an archive \(\.zip, \.tar"):
        load(tmp_path / "none.zip")
    with pytest.raises(SettingsError, match="is a folder; expected an archive"):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"there is no image in .*a\.zip; looked for \.png.*not in archives inside"):
        load(pack(tmp_path / "a.zip", {"inner.zip": b"PK", "a.txt": b""}))
    with pytest.raises(ValueError, match=r"none of 1 files could be read; the first: .*a\.zip: x\.png"):
        load(pack(tmp_path / "a.zip", {"x.png": b""}))
    with pytest.raises(archive.RefusedArchiveError, match=r"'\.\./x\.png', a path that escapes"):
        load(pack(tmp_path / "a.zip", {"../x.png": picture((1, 2, 3)), "y.png": picture((1, 2, 3))}))
    content = pack(tmp_path / "a.tgz").read_bytes()
    for data in (b"", b"hello, this is text", content[: len(content) // 2]):
        (tmp_path / "a.tgz").write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.tgz cannot be read as a zip or tar"):
            load(tmp_path / "a.tgz")


# the members of an archive


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
    return archive.open_archive(path, (".png",))


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
    with pytest.raises(archive.RefusedArchiveError, match=r"a\.\w+ holds .*a path that escapes the archive"):
        open_png(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = write_tar(tmp_path / "a.tar", {"a.png": b"1"}, headers=[header("b.png", type=kind, linkname="a.png")])
    with pytest.raises(archive.RefusedArchiveError, match=r"holds 'b\.png', a link, a device .*--dereference"):
        open_png(path)


def test_links_in_a_zip_and_files_with_holes_are_refused(tmp_path):
    link = zipfile.ZipInfo("b.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    headers = [header("b.png", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "99999999"})]
    write_tar(tmp_path / "a.tar", {}, headers=headers)
    for name in ("a.zip", "a.tar"):
        with pytest.raises(archive.RefusedArchiveError, match=r"holds 'b\.png', a link"):
            open_png(tmp_path / name)


def test_encrypted_and_unusual_zips_are_refused(tmp_path):
    data = bytearray(write_zip(tmp_path / "a.zip", {"a.png": b"1"}).read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(archive.RefusedArchiveError, match=r"a\.zip is encrypted \('a\.png'\): unpack it"):
        open_png(tmp_path / "a.zip")
    write_zip(tmp_path / "b.zip", {"a.png": b"1"}, zipfile.ZIP_LZMA)
    with pytest.raises(archive.RefusedArchiveError, match=r"in an unusual way .*method 14.*zip -r"):
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
            patch.setattr(archive, "ALWAYS_ALLOWED", 16 << 20)
            with pytest.raises(
                archive.RefusedArchiveError, match="to 20,971,520 bytes or more, over 200 times what it takes"
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
    monkeypatch.setattr(archive, "ALWAYS_ALLOWED", 2 << 20)
    first = header("a.png", 10 << 30).tobuf()
    for zeros in (bytes(8 << 20), first + bytes(12 << 20)):
        (tmp_path / "a.tar.gz").write_bytes(compress(zeros))
        tracemalloc.start()
        with pytest.raises(archive.RefusedArchiveError, match=r"times what it takes.*If you trust it, unpack it"):
            open_png(tmp_path / "a.tar.gz")
        assert tracemalloc.get_traced_memory()[1] < 11 << 20  # an xz stream keeps 8 MB
        tracemalloc.stop()


def test_lists_of_members_are_bounded(tmp_path, monkeypatch):
    write_tar(tmp_path / "a.tar", {"x" * 200_000: b"1"})
    with pytest.raises(archive.RefusedArchiveError, match=r"describes its members in 20\d,\d+ bytes at once"):
        open_png(tmp_path / "a.tar")
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 200)
    with pytest.raises(archive.RefusedArchiveError, match="describes its members"):
        open_png(write_zip(tmp_path / "a.zip", MEMBERS))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 7)
    with pytest.raises(archive.RefusedArchiveError, match="has more than 7 members"):
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


def test_folders_that_windows_separates_by_backslashes_are_folders(tmp_path):
    write_zip(tmp_path / "a.zip", {"red\\1.png": picture("red"), "blue\\2.png": picture("blue")})
    dataset = load(tmp_path / "a.zip", labels="folders")
    assert dataset.files == ("blue/2.png", "red/1.png")
    assert dataset.factors(np.arange(2)).tolist() == [[0], [1]]
