import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import patch_dataset

from unweave.config import SettingsError
from unweave.data.formats import folder
from unweave.data.reading.image_files import IMAGE_ENDINGS, read_image


def save(path, colour=(200, 10, 10), size=(30, 20), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def load(path, size=16):
    return folder.build(folder.FolderSettings(path=path, size=size))


def test_nested_images_of_every_ending_in_the_order_of_their_paths(tmp_path):
    colours = {}
    for i, ending in enumerate(IMAGE_ENDINGS):
        name = f"{'zyx'[i % 3]}/{i}{ending.upper() if i % 2 else ending}"
        colours[name] = 20 + 14 * i
        save(tmp_path / name, (colours[name],) * 3)
    save(tmp_path / ".hidden" / "a.png")
    save(tmp_path / "._a.png")
    (tmp_path / "notes.txt").write_text("no image")
    dataset = load(tmp_path)
    assert (len(dataset), dataset.shape, dataset.name) == (len(IMAGE_ENDINGS), (3, 16, 16), tmp_path.name)
    expected = [colours[name] for name in sorted(colours)]
    assert abs(dataset.images(np.arange(len(dataset))).mean((1, 2, 3)) - expected).max() < 3


def test_unreadable_files_are_named_and_counted(tmp_path, caplog):
    for i in range(3):
        save(tmp_path / f"{i}.png", (80 * i, 0, 0), size=(20, 20 + i))
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "0a.png").write_bytes(whole[:40])
    (tmp_path / "1a.jpg").write_bytes(b"no image")
    (tmp_path / "1b.gif").write_bytes(b"")
    with caplog.at_level(logging.INFO, "unweave"):
        dataset = load(tmp_path)
    assert dataset.images(np.arange(3))[:, 8, 8, 0].tolist() == [0, 80, 160]
    lines = [record.getMessage() for record in caplog.records]
    assert [name in line for name, line in zip(("0a.png", "1a.jpg", "1b.gif"), lines)] == [True] * 3
    assert lines[3] == "3 of 6 files could not be read and are left out"


def test_nothing_to_read_is_explained(tmp_path):
    with pytest.raises(SettingsError, match="does not exist; expected a folder"):
        load(tmp_path / "none")
    with pytest.raises(ValueError, match="there is no image in"):
        load(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(SettingsError, match="is a file"):
        load(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"none of 1 files could be read; the first: .*a\.png"):
        load(tmp_path)


def test_alpha_lies_over_white(tmp_path):
    save(tmp_path / "rgba.png", (255, 0, 0, 51), mode="RGBA")
    save(tmp_path / "la.png", (0, 0), mode="LA")
    assert read_image(tmp_path / "rgba.png")[0, 0, 0].tolist() == [255, 204, 204]
    assert read_image(tmp_path / "la.png")[0, 0, 0].tolist() == [255, 255, 255]


def test_palettes_with_a_transparent_colour(tmp_path):
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([9, 9, 9, 250, 0, 0])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "p.png", transparency=0)
    assert read_image(tmp_path / "p.png")[0, 0, :2].tolist() == [[255, 255, 255], [250, 0, 0]]


def test_16_bit_greys_keep_their_range(tmp_path):
    wide = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_image(tmp_path / "wide.png", channels=1)[0, ..., 0] == np.arange(256).reshape(16, 16)).all()


def test_pictures_are_turned_upright(tmp_path):
    picture = Image.new("RGB", (8, 4))
    picture.paste((255, 255, 255), (0, 0, 2, 4))  # the left edge
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees: the left edge becomes the top
    picture.save(tmp_path / "turned.png", exif=exif)
    image = read_image(tmp_path / "turned.png")[0]
    assert image.shape == (8, 4, 3)
    assert image[:2].min() == 255
    assert image[2:].max() == 0


def test_the_middle_square_is_kept(tmp_path):
    picture = Image.new("RGB", (60, 20), "white")
    picture.paste((0, 0, 0), (20, 0, 40, 20))
    picture.save(tmp_path / "wide.png")
    assert read_image(tmp_path / "wide.png", (10, 10)).max() < 60
    assert read_image(tmp_path / "wide.png").shape == (1, 20, 60, 3)


def test_large_jpegs_are_read_like_large_pngs(tmp_path):
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    picture = Image.fromarray(np.stack([np.tile(ramp, (512, 1))] * 3, -1))
    (tmp_path / "a").mkdir()
    picture.save(tmp_path / "a" / "a.jpg", quality=95)
    picture.save(tmp_path / "a" / "b.png")
    jpg, png = load(tmp_path / "a").images(np.arange(2)).astype(int)
    assert abs(jpg - png).max() <= 3


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", 100), ("1", 1), ("CMYK", (0, 0, 0, 155)), ("YCbCr", (100, 128, 128))]
)
def test_other_modes_become_rgb_or_grey(tmp_path, mode, colour):
    packed = {"compression": "tiff_lzw"} if mode == "YCbCr" else {}  # Pillow 12 cannot read its own raw ones
    save(tmp_path / "a.tif", colour, mode=mode, **packed)
    expected = 255 if mode == "1" else 100
    assert abs(read_image(tmp_path / "a.tif").astype(int) - expected).max() <= 1
    assert read_image(tmp_path / "a.tif", (8, 12), channels=1).shape == (1, 8, 12, 1)


def test_unreadable_images_are_named(tmp_path):
    for name in ("none.png", "text.png", "float.tif"):
        if name == "text.png":
            (tmp_path / name).write_text("hello")
        if name == "float.tif":
            save(tmp_path / name, 0.5, mode="F")
        with pytest.raises(ValueError, match=f"{name} cannot be read as an image"):
            read_image(tmp_path / name)
    with pytest.raises(ValueError, match="channels must be 1 or 3, got 4"):
        read_image(tmp_path / "none.png", channels=4)


def test_links_are_followed_once(tmp_path):
    save(tmp_path / "real" / "a.png", (50, 0, 0))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert load(tmp_path / "set").files == ("linked/a.png",)


def test_a_folder_that_changes_while_it_is_read_is_not_kept(tmp_path, monkeypatch):
    for i in range(3):
        save(tmp_path / "set" / f"{i}.png", (80 * i, 0, 0))
    open_source = folder.source

    def change_and_open(settings):
        save(tmp_path / "set" / "0a.png", (9, 9, 9))
        return open_source(settings)

    with monkeypatch.context() as patch:
        patch_dataset(patch, folder, source=change_and_open)
        with pytest.raises(ValueError, match="files of folder changed while they were read"):
            load(tmp_path / "set")
    assert len(load(tmp_path / "set")) == 4
    (tmp_path / "set" / "0a.png").unlink()
    assert load(tmp_path / "set").images(np.arange(3))[:, 8, 8, 0].tolist() == [0, 80, 160]


def test_integers_of_32_bits_are_refused(tmp_path):
    Image.fromarray(np.full((8, 8), 1 << 20, np.int32)).save(tmp_path / "deep.tif")
    with pytest.raises(ValueError, match="32 bits, of an unknown range"):
        read_image(tmp_path / "deep.tif")


def test_a_moved_folder_has_its_own_name(tmp_path):
    save(tmp_path / "one" / "a.png", (50, 0, 0))
    assert load(tmp_path / "one").name == "one"
    (tmp_path / "one").rename(tmp_path / "two")
    assert load(tmp_path / "two").name == "two"


def test_every_ending_of_a_picture_is_taken():
    pictures = Path(__file__).parents[1] / "pictures" / "endings"
    assert [path.name for path in folder.image_paths(pictures)] == sorted(path.name for path in pictures.iterdir())


def test_what_cannot_be_reached_is_named(tmp_path, caplog, monkeypatch):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "closed").mkdir()
    scandir = folder.os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(folder.os, "scandir", refuse)
    assert [path.name for path in folder.files(folder.FolderSettings(path=tmp_path))] == ["a.png"]
    assert "1 links lead nowhere and are left out" in caplog.text
    assert "b.png" in caplog.text
    assert "closed cannot be read and is left out: Permission denied" in caplog.text
