import io
import logging
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.formats import archive, folder
from unweave.data.reading import archives

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
    with pytest.raises(archives.RefusedArchiveError, match=r"'\.\./x\.png', a path that escapes"):
        load(pack(tmp_path / "a.zip", {"../x.png": picture((1, 2, 3)), "y.png": picture((1, 2, 3))}))
    content = pack(tmp_path / "a.tgz").read_bytes()
    for data in (b"", b"hello, this is text", content[: len(content) // 2]):
        (tmp_path / "a.tgz").write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.tgz cannot be read as a zip or tar"):
            load(tmp_path / "a.tgz")


def test_folders_that_windows_separates_by_backslashes_are_folders(tmp_path):
    pack(tmp_path / "a.zip", {"red\\1.png": picture("red"), "blue\\2.png": picture("blue")})
    dataset = load(tmp_path / "a.zip", labels="folders")
    assert dataset.files == ("blue/2.png", "red/1.png")
    assert dataset.factors(np.arange(2)).tolist() == [[0], [1]]
