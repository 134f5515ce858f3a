import io
import shutil

import lmdb as package
import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.sets import celebahq

NAMES = ["Bald", "Male", "Smiling"]
VALUES = np.random.default_rng(0).integers(0, 2, (8, 3))


def encoded(colour):
    target = io.BytesIO()
    Image.new("RGB", (256, 256), (colour,) * 3).save(target, "jpeg", quality=100)
    return target.getvalue()


def table(path, rows):
    path.parent.mkdir(exist_ok=True)
    lines = [f"{row}.jpg  {' '.join('1' if value else '-1' for value in VALUES[row])}" for row in rows]
    path.write_text("\n".join([str(len(lines)), " ".join(NAMES), *lines]) + "\n")


@pytest.fixture
def folder(tmp_path):
    """celebahq256.lmdb, as Diff-AE publishes it, of 8 pictures."""
    path = tmp_path / "celebahq256.lmdb"
    with package.open(str(path), map_size=1 << 26) as target, target.begin(write=True) as change:
        for i in range(8):
            change.put(f"256-{i:05d}".encode(), encoded(30 * i))
        change.put(b"length", b"8")
    return tmp_path


def test_attributes_are_joined_by_the_number_in_the_name(folder):
    table(folder / "celeba_anno" / celebahq.TABLE, [7, 6, 5, 0, 1, 2, 3, 4])
    dataset = celebahq.build(celebahq.CelebAHQSettings(path=folder, count=6, size=32))
    assert (dataset.name, dataset.shape, len(dataset)) == ("celebahq-6", (3, 32, 32), 6)
    assert (dataset.factor_names, dataset.factor_sizes) == (tuple(NAMES), (2, 2, 2))
    assert (dataset.factors(np.arange(6)) == VALUES[:6]).all()
    assert abs(dataset.images(np.arange(6)).mean((1, 2, 3)) - 30 * np.arange(6)).max() < 1


def test_attributes_are_optional_but_must_be_whole(folder, tmp_path):
    settings = celebahq.CelebAHQSettings(path=folder, count=6)
    assert celebahq.source(settings).labels is None
    for path in ("a", "b"):  # an LMDB is opened once in a process
        shutil.copytree(folder / "celebahq256.lmdb", tmp_path / path / "celebahq256.lmdb")
    table(tmp_path / "a" / celebahq.TABLE, [0, 1, 2, 3, 5, 6, 7])
    with pytest.raises(ValueError, match=r"must have 40 attributes of 0\.jpg to 5\.jpg, got no row 4\.jpg"):
        celebahq.source(celebahq.CelebAHQSettings(path=tmp_path / "a", count=6))
    (tmp_path / "b" / celebahq.TABLE).write_text("2\nBald\n0.jpg  1\n")
    with pytest.raises(ValueError, match="announces 2 images and has 1 rows"):
        celebahq.source(celebahq.CelebAHQSettings(path=tmp_path / "b", count=6))


def test_the_number_of_pictures_is_checked(folder):
    with pytest.raises(ValueError, match=r"CelebA-HQ has 30,000 images, and the files hold 8"):
        celebahq.source(celebahq.CelebAHQSettings(path=folder / "celebahq256.lmdb"))


def test_a_missing_set_is_explained(tmp_path):
    with pytest.raises(SettingsError, match=r"celebahq needs celebahq256\.lmdb"):
        celebahq.build(celebahq.CelebAHQSettings(path=tmp_path))
    assert all(remote.login and not remote.urls for remote in celebahq.DOWNLOADS)
