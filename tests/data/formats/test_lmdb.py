import io
import logging
import shutil

import lmdb as package
import numpy as np
import pytest
from PIL import Image

from unweave.config import SettingsError
from unweave.data.formats import lmdb

COLOURS = [20, 60, 100, 140, 180, 220]


def encoded(colour, ending="jpeg", size=(24, 24)):
    target = io.BytesIO()
    Image.new("RGB", size, (colour,) * 3).save(target, ending, quality=95)
    return target.getvalue()


def write(path, values, subdir=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    with package.open(str(path), subdir=subdir, map_size=1 << 24) as target, target.begin(write=True) as change:
        for key, value in values.items():
            change.put(key.encode(), value)
    return path


def load(path, **settings):
    return lmdb.build(lmdb.LMDBSettings(path=path, size=16, **settings))


def greys(dataset):
    return dataset.images(np.arange(len(dataset))).mean((1, 2, 3))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """As Diff-AE writes them: SIZE-NUMBER, and `length`; some values JPEG, some PNG, some WebP."""
    endings = ["jpeg", "png", "webp"] * 2
    values = {f"None-{i:07d}": encoded(colour, endings[i]) for i, colour in enumerate(COLOURS)}
    return write(tmp_path_factory.mktemp("lmdb") / "faces.lmdb", values | {"length": b"6"})


@pytest.mark.parametrize("key", ["None-{index:07d}", None])
def test_rows_are_in_the_order_of_the_index_or_of_the_keys(published, key):
    dataset = load(published, key=key)
    assert (dataset.name, dataset.shape, len(dataset)) == ("faces", (3, 16, 16), 6)
    assert abs(greys(dataset) - COLOURS).max() < 2
    assert dataset.factors(np.arange(2)) is None


def test_without_a_length_rows_are_counted_and_others_passed_over(tmp_path):
    values = {f"{i}": encoded(colour) for i, colour in enumerate(COLOURS)} | {"8": encoded(0), "about": b"text"}
    file = write(tmp_path / "one.mdb", values, subdir=False)
    numbered = lmdb.source(lmdb.LMDBSettings(path=file, key="{index}"))
    assert (numbered.name, numbered.count) == ("one", 6)  # 7 is missing
    pixels = numbered.read(2, 4).pixels
    assert pixels.shape == (2, 64, 64, 3)
    assert abs(pixels.mean((1, 2, 3)) - COLOURS[2:4]).max() < 2
    assert len(load(file)) == 7


def test_what_cannot_be_decoded_is_named_by_its_key(tmp_path, caplog):
    values = {f"a{i}": encoded(colour, "png") for i, colour in enumerate(COLOURS)}
    values |= {"a1": encoded(9, "png")[:50], "a3": b"no image", "length": b"6"}
    del values["a4"]
    path = write(tmp_path / "a", values)
    with caplog.at_level(logging.INFO, "unweave"):
        dataset = load(path, key="a{index}")
    assert greys(dataset).round().tolist() == [COLOURS[0], COLOURS[2], COLOURS[5]]
    messages = "\n".join(record.getMessage() for record in caplog.records)
    for name in ("'a1' cannot be read", "'a3' cannot be read", "'a4' cannot be read and is left out: there is no such"):
        assert name in messages
    assert "3 of 6 files" in messages


def test_the_crop_is_a_box_in_pixels(tmp_path):
    picture = Image.new("RGB", (40, 30), "black")
    picture.paste((255, 255, 255), (5, 10, 25, 30))
    target = io.BytesIO()
    picture.save(target, "png")
    path = write(tmp_path / "a", {"a": target.getvalue()})
    source = lmdb.source(lmdb.LMDBSettings(path=path, size=16, crop=(5, 10, 25, 30)))
    assert source.read(0, 1).pixels[:, 4:-4, 4:-4].min() == 255
    large = lmdb.LMDBSettings(path=path, crop=(5, 10, 45, 30))
    shutil.copytree(path, tmp_path / "b")
    assert "do not hold the crop" in lmdb.source(large.model_copy(update={"path": tmp_path / "b"})).read(0, 1).bad[0]
    with pytest.raises(SettingsError, match="left, top, right, bottom"):
        lmdb.build(lmdb.LMDBSettings(path=path, crop=(5, 10, 5, 30)))


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "",
        "{}",
        "{0}",
        "{i}",
        "{index",
        "{index}{index}",
        "{index!r}",
        "{index.real}",
        "{index[0]}",
        "{index:99999d}",
        "{index:{index}}",
        "{index:x}",
        "{index}{other}",
        "{index:>5}",
        "a" * 500 + "{index}",
    ],
)
def test_other_keys_are_refused(published, key):
    with pytest.raises(SettingsError, match=r"data\.key: "):
        load(published, key=key)


def test_a_missing_lmdb_is_explained(tmp_path):
    with pytest.raises(SettingsError, match=r"has no data\.mdb; expected the folder of an LMDB"):
        load(tmp_path)
    with pytest.raises(SettingsError, match="does not exist"):
        load(tmp_path / "none")


WRONG = {
    "no images": ({"a": b"text", "b": b""}, None, "none of the 2 values .* is an image file"),
    "nothing": ({}, None, "none of the 0 values"),
    "another key": ({"b1": encoded(1)}, "a{index}", r"has no key 'a0'; its first keys are 'b1'\. Set data\.key"),
    "another key, with a length": ({"b1": encoded(1), "length": b"1"}, "a{index}", "has no key 'a0'"),
    "a length that is none": (
        {"a0": encoded(1), "length": b"x"},
        "a{index}",
        "under `length` that it holds 'x' images",
    ),
    "a long length": ({"a0": encoded(1), "length": b"999999"}, "a{index}", "holds '999999' images, of 2 keys"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_holds_no_such_images_is_explained(tmp_path, case):
    values, key, message = WRONG[case]
    path = write(tmp_path / "a", values)
    with pytest.raises(ValueError, match=message):
        lmdb.source(lmdb.LMDBSettings(path=path, key=key))


def test_foreign_and_truncated_files_are_explained(tmp_path, published):
    whole = (published / "data.mdb").read_bytes()
    for i, content in enumerate((b"", b"hello, this is text", b"\0" * 9000, whole[:100], whole[: len(whole) // 2])):
        (tmp_path / f"{i}.mdb").write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot be read as an LMDB|is cut short: it has"):
            lmdb.source(lmdb.LMDBSettings(path=tmp_path / f"{i}.mdb"))


@pytest.mark.parametrize("page", [2, 3])
def test_a_damaged_page_is_an_error_or_bad_rows_but_never_a_crash(tmp_path, published, page):
    damaged = bytearray((published / "data.mdb").read_bytes())
    damaged[4096 * page : 4096 * (page + 1)] = np.random.default_rng(page).bytes(4096)
    (tmp_path / "a.mdb").write_bytes(damaged)
    try:
        outcome = f"{len(load(tmp_path / 'a.mdb'))} images"
    except ValueError as error:
        outcome = str(error)
    assert any(words in outcome for words in ("a.mdb", "the process that read lmdb", " images")), outcome


def test_images_are_told_by_how_they_begin():
    for ending in ("jpeg", "png", "webp", "gif", "bmp", "tiff"):
        assert lmdb.is_image(encoded(9, ending)[:12]), ending
    for other in (b"", b"30000", b"RIFF....WAVE", b"{}"):
        assert not lmdb.is_image(other)
