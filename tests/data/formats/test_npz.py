from pathlib import Path

import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.formats import npz

SHARED = Path(__file__).parents[4] / "shared" / "data"
GREY = np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8)


@pytest.fixture
def load(tmp_path):
    def save_and_build(size=None, **arrays):
        np.savez_compressed(tmp_path / "mine.npz", **arrays)
        return npz.build(npz.NpzSettings(path=tmp_path / "mine.npz", size=size))

    return save_and_build


def test_grey_without_a_channel_axis(load):
    dataset = load(images=GREY)
    assert (dataset.name, dataset.shape, len(dataset), dataset.factor_names) == ("mine", (1, 8, 8), 4, ())
    assert (dataset.images(np.array([2, 0]))[..., 0] == GREY[[2, 0]]).all()


def test_factor_values_become_classes(load):
    factors = np.array([[10, -1], [30, 5], [10, 5], [20, 7]], np.int16)
    dataset = load(images=GREY, factors=factors, factor_names=np.array(["a", "b"]))
    assert dataset.factor_names == ("a", "b")
    assert dataset.factor_sizes == (3, 3)
    assert dataset.factors(np.arange(4)).tolist() == [[0, 0], [2, 1], [0, 1], [1, 2]]
    assert load(images=GREY, factors=factors).factor_names == ("factor_0", "factor_1")


def test_size_gives_squares(load):
    assert load(images=np.zeros((2, 12, 20, 3), np.uint8), size=16).images(np.arange(2)).shape == (2, 16, 16, 3)


REFUSED = {
    "0 and 1": ({"images": (GREY > 9).astype(np.uint8)}, r"store images \* 255"),
    "one image": ({"images": GREY[0]}, r"must be \[N, H, W, C\]"),
    "no images": ({"images": GREY[:0]}, r"hold no image: their shape is \[0, 8, 8\]"),
    "alpha": ({"images": np.stack([GREY] * 4, -1)}, "4 channels, the last is probably alpha"),
    "many channels": ({"images": np.zeros((2, 8, 9, 65), np.uint8)}, "must have 1 to 64 channels last"),
    "complex": ({"images": GREY + 1j}, "must be numbers, got complex128"),
    "channels first": ({"images": np.stack([GREY] * 3, 1)}, r"transpose\(0, 2, 3, 1\)"),
    "other key": ({"imgs": GREY, "more": GREY}, "has no `images`, only imgs, more"),
    "empty": ({}, "has no `images`, only nothing"),
    "objects": ({"images": np.array([GREY, None], object)}, "holds pickled objects"),
    "float factors": ({"images": GREY, "factors": np.zeros((4, 1))}, "must be integers .* got float64"),
    "short factors": ({"images": GREY, "factors": np.zeros((3, 1), int)}, "got 3 rows for 4 images"),
    "flat factors": ({"images": GREY, "factors": np.zeros(4, int)}, r"factors\[:, None\]"),
    "few names": (
        {"images": GREY, "factors": np.zeros((4, 2), int), "factor_names": np.array(["a"])},
        "must be 2 strings",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_explained(load, case):
    arrays, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as error:
        load(**arrays)
    assert "mine.npz" in str(error.value)


DEEP = {
    "floats": GREY / 255.0,
    "signed floats": GREY / 127.5 - 1,
    "floats of bytes": GREY.astype(np.float32),
    "int64": GREY.astype(np.int64),
    "16 bits": GREY.astype(np.uint16) * 257,
    "signed bytes": (GREY.astype(int) - 128).astype(np.int8),
}


@pytest.mark.parametrize("case", DEEP)
def test_numbers_of_any_type_are_the_same_bytes(load, case):
    dataset = load(images=DEEP[case])
    assert (dataset.images(np.arange(4))[..., 0] == GREY).all()
    assert len(dataset.reading.range) == 1


def test_booleans_are_black_and_white(load):
    assert (load(images=GREY > 99).images(np.arange(4))[..., 0] == np.where(GREY > 99, 255, 0)).all()


def test_images_with_nan_are_left_out(load, caplog):
    dataset = load(images=np.where(np.arange(4)[:, None, None] == 2, np.nan, GREY / 255.0))
    assert (dataset.images(np.arange(3))[..., 0] == GREY[[0, 1, 3]]).all()
    assert "row 2 of images in" in caplog.text
    assert "NaN or infinite" in caplog.text


def test_channels_that_are_chosen(load, tmp_path):
    five = np.stack([GREY + i for i in range(5)], -1)
    assert (load(images=five).images(np.arange(4)) == five).all()
    chosen = npz.build(npz.NpzSettings(path=tmp_path / "mine.npz", channels="3,1"))
    assert (chosen.images(np.arange(4)) == five[..., [3, 1]]).all()
    assert load(images=five[..., :4][:, :, :, [0, 1, 2]]).shape == (3, 8, 8)
    load(images=five)
    with pytest.raises(SettingsError, match=r"data\.channels=7: it has 5 channels"):
        npz.build(npz.NpzSettings(path=tmp_path / "mine.npz", channels=7))


def test_files_that_are_no_npz_are_explained(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(SettingsError, match=r"does not exist; expected an \.npz"):
        npz.build(npz.NpzSettings(path=path))
    with pytest.raises(SettingsError, match="is a folder"):
        npz.build(npz.NpzSettings(path=tmp_path))
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8))
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[5000:5100] = bytes(100)
    for content in (b"", b"hello, this is text", whole[: len(whole) // 2], bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot be read as \.npz, or is cut short"):
            npz.build(npz.NpzSettings(path=path))
    with path.open("wb") as file:
        np.save(file, GREY)
    with pytest.raises(ValueError, match="single array"):
        npz.build(npz.NpzSettings(path=path))


REAL = {"dsprites_grid46k": (46_080, 1, (3, 6, 10, 16, 16)), "lpc_sprites": (11_664, 3, (6, 6, 6, 6, 3, 3))}


@pytest.mark.parametrize("name", REAL)
def test_real_files(name):
    path = SHARED / name / f"{name}.npz"
    if not path.exists():
        pytest.skip("the shared data is not here")
    dataset = npz.build(npz.NpzSettings(path=path))
    count, channels, sizes = REAL[name]
    assert (len(dataset), dataset.shape, dataset.factor_sizes) == (count, (channels, 64, 64), sizes)
    factors = dataset.factors(np.arange(count))
    assert len(np.unique(np.ravel_multi_index(tuple(factors.T), sizes))) == count
    assert dataset.images(np.array([count - 1, 0])).max() > 100


def test_one_giant_image_is_refused_before_it_is_read(load, monkeypatch):
    monkeypatch.setattr(npz, "MAX_IMAGE_BYTES", 63)
    with pytest.raises(ValueError, match=r"are too large: shape \[4, 8, 8\]"):
        load(images=255 - GREY)  # not in the cache
