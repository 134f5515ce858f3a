import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.formats.zarr import ZarrSettings
from unweave.data.open import open_data

zarr = pytest.importorskip("zarr")

DEEP = np.random.default_rng(0).integers(300, 4000, (6, 12, 12, 4), dtype=np.uint16)


@pytest.fixture
def folder(tmp_path):
    group = zarr.open_group(str(tmp_path / "cells.zarr"), mode="w")
    group.create_array("images", data=DEEP, chunks=(2, 12, 12, 4))
    factors = group.create_array("factors", data=np.arange(12).reshape(6, 2) % 3)
    factors.attrs["factor_names"] = ["size", "angle"]
    return tmp_path / "cells.zarr"


def test_deep_channels_and_factors(folder):
    dataset = open_data(folder, {"range": "300,4000"})
    assert (dataset.name, dataset.shape, len(dataset)) == ("cells", (4, 12, 12), 6)
    assert dataset.factor_names == ("size", "angle")
    exact = (DEEP.astype(float) - 300) / 3700 * 255
    assert np.abs(dataset.images(np.arange(6)) - exact).max() <= 0.51
    assert dataset.factors(np.array([1])).tolist() == [[2, 0]]


def test_a_lone_array_is_the_images(tmp_path):
    zarr.save(str(tmp_path / "lone.zarr"), (DEEP[..., 0] // 16).astype(np.uint8))
    assert open_data(tmp_path / "lone.zarr").shape == (1, 12, 12)


def test_what_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(SettingsError, match=r"has no array 'pictures'\..* It has: .*images"):
        open_data(folder, {"key": "pictures"})
    with pytest.raises(SettingsError, match="there is no zarr folder"):
        open_data(ZarrSettings(path=tmp_path / "none.zarr"))
    for chunk in (folder / "images" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="probably damaged"):
        open_data(folder)
