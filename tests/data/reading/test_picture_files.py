"""Folders and archives of deep pictures; the arithmetic alone is in test_intensity."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.open import open_data
from unweave.data.reading.picture_files import tile_boxes

tifffile = pytest.importorskip("tifffile")

DEEP = np.random.default_rng(0).integers(300, 4000, (6, 4, 16, 24), dtype=np.uint16)


@pytest.fixture
def cells(tmp_path):
    folder = tmp_path / "cells"
    folder.mkdir()
    for number, picture in enumerate(DEEP):
        tifffile.imwrite(folder / f"{number}.ome.tif", picture, photometric="minisblack", metadata={"axes": "CYX"})
    return folder


def by_hand(picture, low, high):
    return ((picture.astype(float) - low) / (high - low) * 255).round().clip(0, 255).astype(np.uint8)


def test_a_folder_of_channels_is_its_arrays(cells, tmp_path):
    dataset = open_data(cells, {"size": 16, "range": "300,4000"})
    assert (dataset.shape, len(dataset), dataset.reading.channels) == ((4, 16, 16), 6, (0, 1, 2, 3))
    np.savez(tmp_path / "hand.npz", images=by_hand(DEEP.transpose(0, 2, 3, 1), 300, 4000))
    hand = open_data(tmp_path / "hand.npz", {"size": 16, "channels": (0, 1, 2, 3)})
    rows = np.arange(6)
    assert np.abs(dataset.images(rows).astype(int) - hand.images(rows)).max() <= 1


def test_an_archive_gives_what_the_folder_gives(cells, tmp_path):
    with zipfile.ZipFile(tmp_path / "cells.zip", "w") as archive:
        for file in sorted(cells.iterdir()):
            archive.write(file, file.name)
    packed, loose = open_data(tmp_path / "cells.zip", {"size": 16}), open_data(cells, {"size": 16})
    assert (packed.images(np.arange(6)) == loose.images(np.arange(6))).all()
    assert packed.reading == loose.reading


def test_a_range_is_of_the_whole_set(cells):
    tifffile.imwrite(cells / "dark.ome.tif", DEEP[0] // 2, photometric="minisblack", metadata={"axes": "CYX"})
    dataset = open_data(cells, {"size": 16})
    assert all(140 <= low < 200 and 3900 < high < 4000 for low, high in dataset.reading.range)
    means = dataset.images(np.arange(7)).mean(axis=(1, 2, 3))
    assert means[-1] < 0.6 * means[:-1].min()


def test_tiles_keep_their_places(cells):
    dataset = open_data(cells, {"size": 8, "patch": 8, "range": "300,4000"})
    assert len(dataset) == 6 * 2 * 3
    assert dataset.boxes[:4].tolist() == [[0, 0, 8, 8], [8, 0, 16, 8], [16, 0, 24, 8], [0, 8, 8, 16]]
    assert dataset.files[5:7] == ("0.ome.tif", "1.ome.tif")
    tile = by_hand(DEEP[0, :, :8, 16:].transpose(1, 2, 0), 300, 4000)
    assert np.abs(dataset.images(np.array([2]))[0].astype(int) - tile).max() <= 1
    half = open_data(cells, {"size": 8, "patch": 8, "view": {"split": "test"}})
    assert (half.boxes == dataset.boxes[half.rows]).all()
    with pytest.raises(SettingsError, match=r"data\.patch=32: every picture of cells is smaller"):
        open_data(cells, {"patch": 32})
    assert tile_boxes(9, 9, None) == [None]


def test_pages_are_images_or_channels(tmp_path, caplog):
    folder = tmp_path / "stacks"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", DEEP[0], photometric="minisblack", metadata=None)
    assert open_data(folder, {"size": 16}).shape == (1, 16, 16)
    assert "up to 4 pages, of which the first is taken" in caplog.text
    images = open_data(folder, {"size": 16, "pages": "images"})
    assert (len(images), images.files) == (4, ("a.tif#0", "a.tif#1", "a.tif#2", "a.tif#3"))
    assert open_data(folder, {"size": 16, "pages": "channels"}).shape == (4, 16, 16)
    assert open_data(folder, {"size": 16, "pages": "2,0"}).shape == (2, 16, 16)
    assert open_data(folder, {"size": 16, "pages": "max"}).shape == (1, 16, 16)


def test_grey_pictures_are_grey_and_colours_rgb(tmp_path):
    for mode, channels in (("L", 1), ("RGB", 3)):
        folder = tmp_path / mode
        folder.mkdir()
        Image.new(mode, (16, 16), "grey").save(folder / "a.png")
        assert open_data(folder, {"size": 16}).shape == (channels, 16, 16)
    Image.new("RGB", (16, 16)).save(tmp_path / "L" / "b.png")
    assert open_data(tmp_path / "L", {"size": 16}).shape == (3, 16, 16)
    assert open_data(tmp_path / "RGB", {"size": 16, "channels": "grey"}).shape == (1, 16, 16)
    assert open_data(tmp_path / "RGB", {"size": 16, "channels": 1}).reading.channels == (1,)


def test_one_damaged_or_odd_file_is_left_out(cells, caplog):
    (cells / "3.ome.tif").write_bytes(b"II*\0 damaged")
    tifffile.imwrite(cells / "9.ome.tif", DEEP[0, :2], photometric="minisblack", metadata={"axes": "CYX"})
    dataset = open_data(cells, {"size": 16})
    assert len(dataset) == 5
    assert "3.ome.tif cannot be read and is left out" in caplog.text
    assert "data.channels=3: it has 2 channels" in caplog.text


def test_settings_that_cannot_be_are_named(cells):
    for changed, message in (
        ({"range": "5,3"}, r"data\.range: .*below the upper"),
        ({"range": "all"}, r"data\.range"),
        ({"channels": -1}, r"data\.channels"),
        ({"colours": "green,nocolour"}, r"data\.colours: .*nocolour"),
        ({"fit": "stretch"}, r"data\.fit"),
    ):
        with pytest.raises(SettingsError, match=message):
            open_data(cells, changed)


@pytest.mark.parametrize(("name", "said"), [("a.tif", True), ("a.jpg", True), ("a.gif", False)])
def test_what_is_read_of_a_stack_of_8_bits_is_said(tmp_path, caplog, name, said):
    pages = [Image.new("L" if name == "a.tif" else "RGB", (20, 20), 30 * i) for i in range(3)]
    kind = {"a.tif": "TIFF", "a.jpg": "MPO", "a.gif": "GIF"}[name]
    pages[0].save(tmp_path / name, kind, save_all=True, append_images=pages[1:])
    assert len(open_data(tmp_path, {"size": 16})) == 1
    assert ("up to 3 pages, of which the first is taken" in caplog.text) == said
