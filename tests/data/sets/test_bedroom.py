import io

import lmdb as package
import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.sets import bedroom


def encoded(colour):
    target = io.BytesIO()
    picture = Image.new("RGB", (340, 256), "white")  # rooms are wide; the middle is kept
    picture.paste((colour, 0, 0), (42, 0, 298, 256))
    picture.save(target, "jpeg", quality=100, subsampling=0)
    return target.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with bedroom256.lmdb, as Diff-AE publishes it, of 5 pictures."""
    path = tmp_path_factory.mktemp("bedroom")
    with package.open(str(path / "bedroom256.lmdb"), map_size=1 << 26) as target, target.begin(write=True) as change:
        for i in range(5):
            change.put(f"256-{i:07d}".encode(), encoded(50 * i))
        change.put(b"length", b"5")
    return path


def test_the_lmdb_of_diff_ae_and_the_middle_of_its_pictures(folder):
    dataset = bedroom.build(bedroom.BedroomSettings(path=folder, count=4))
    assert (dataset.name, dataset.shape, len(dataset)) == ("bedroom-4", (3, 128, 128), 4)
    images = dataset.images(np.arange(4)).astype(int)
    assert abs(images[..., 0].mean((1, 2)) - 50 * np.arange(4)).max() < 3
    assert images[:, :, 4:-4, 1].max() < 12
    assert "The first 4 of 3,033,042" in dataset.card.notes


def test_the_number_of_pictures_is_checked(folder):
    with pytest.raises(ValueError, match=r"LSUN bedrooms has 3,033,042 images, and the files hold 5"):
        bedroom.build(bedroom.BedroomSettings(path=folder))


def test_a_missing_set_is_explained(tmp_path):
    with pytest.raises(SettingsError, match=r"bedroom needs bedroom256\.lmdb"):
        bedroom.build(bedroom.BedroomSettings(path=tmp_path))
    assert all(remote.login and not remote.urls for remote in bedroom.DOWNLOADS)
