import io

import lmdb as package
import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.sets import ffhq


def encoded(colour):
    target = io.BytesIO()
    Image.new("RGB", (256, 256), (colour,) * 3).save(target, "jpeg", quality=100)
    return target.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with ffhq256.lmdb, as Diff-AE publishes it, of 12 pictures."""
    path = tmp_path_factory.mktemp("ffhq")
    with package.open(str(path / "ffhq256.lmdb"), map_size=1 << 26) as target, target.begin(write=True) as change:
        for i in range(12):
            change.put(f"256-{i:05d}".encode(), encoded(20 * i))
        change.put(b"length", b"12")
    return path


def test_the_lmdb_of_diff_ae(folder):
    dataset = ffhq.build(ffhq.FFHQSettings(path=folder, count=12))
    assert (dataset.name, dataset.shape, len(dataset), dataset.factor_names) == ("ffhq-12", (3, 64, 64), 12, ())
    assert abs(dataset.images(np.arange(12)).mean((1, 2, 3)) - 20 * np.arange(12)).max() < 1
    assert dataset.splits["test"].tolist() == list(range(12))
    assert "The first 12 of 70,000" in dataset.card.notes


def test_the_number_of_pictures_is_checked(folder):
    with pytest.raises(ValueError, match=r"FFHQ has 70,000 images, and the files hold 12.* set data\.count=12"):
        ffhq.build(ffhq.FFHQSettings(path=folder))
    with pytest.raises(ValueError, match=r"data\.count=13, and the files hold 12"):
        ffhq.source(ffhq.FFHQSettings(path=folder / "ffhq256.lmdb" / "data.mdb", count=13))


def thumbnails(path, numbers):
    for number in numbers:
        file = path / f"{number // 4 * 4:05d}" / f"{number:05d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (128, 128), (number, 0, 0)).save(file)
    return path


def test_the_publishers_thumbnails_in_the_order_of_their_numbers(tmp_path):
    path = thumbnails(tmp_path / "thumbnails128x128", range(10))
    dataset = ffhq.build(ffhq.FFHQSettings(path=tmp_path, count=9, size=32))
    assert dataset.images(np.arange(9))[:, 16, 16, 0].tolist() == list(range(9))
    (path / "00004" / "00005.png").unlink()
    with pytest.raises(ValueError, match=r"must hold 00005\.png and so on, none left out; found 00006\.png"):
        ffhq.source(ffhq.FFHQSettings(path=path, count=9))


def test_the_first_10000_are_for_testing(monkeypatch, tmp_path):
    monkeypatch.setattr(ffhq, "_open_images", lambda path, size: ffhq.CountedImages(70_000, lambda start, stop: None))
    (tmp_path / "ffhq256.lmdb").mkdir()
    source = ffhq.source(ffhq.FFHQSettings(path=tmp_path))
    assert (source.name, source.count) == ("ffhq", 70_000)
    assert (source.splits["test"] == np.arange(10_000)).all()
    assert (source.splits["train"] == np.arange(10_000, 70_000)).all()


def test_a_missing_set_is_explained(tmp_path):
    with pytest.raises(SettingsError, match=r"ffhq needs ffhq256\.lmdb or .*thumbnails128x128.* data\.path="):
        ffhq.build(ffhq.FFHQSettings(path=tmp_path))
    assert all(remote.login and not remote.urls for remote in ffhq.DOWNLOADS)
