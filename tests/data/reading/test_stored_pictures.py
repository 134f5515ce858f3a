import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unweave.data.reading.stored_pictures import StoredShape, read_stored, stored_shape, take_pages

tifffile = pytest.importorskip("tifffile")

PICTURES = Path(__file__).parents[1] / "pictures"
DEEP = np.random.default_rng(0).integers(300, 4000, (3, 4, 10, 12), dtype=np.uint16)  # Z, C, Y, X


def tiff(numbers, **options):
    content = io.BytesIO()
    tifffile.imwrite(content, numbers, **{"photometric": "minisblack", **options})
    return content.getvalue()


def test_ome_tiffs_have_channels_and_pages():
    content = tiff(DEEP, ome=True, metadata={"axes": "ZCYX"})
    assert stored_shape(content) == StoredShape(10, 12, 4, 3, True)
    assert (read_stored(content) == DEEP.transpose(0, 2, 3, 1)).all()


def test_pages_without_names_are_pages(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(DEEP[:, 0], metadata=None))
    assert stored_shape(tmp_path / "a.tif") == StoredShape(10, 12, 1, 3, True)
    assert (read_stored(tmp_path / "a.tif")[..., 0] == DEEP[:, 0]).all()


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint32", "uint16", "int32"])
def test_numbers_of_every_type_are_kept(dtype):
    numbers = (DEEP[0, 0].astype(np.float64) - 1000).astype(dtype)
    assert stored_shape(tiff(numbers)).deep
    assert (read_stored(tiff(numbers))[0, ..., 0] == numbers).all()


def test_deep_colours_are_kept_without_alpha():
    colours = DEEP[0].transpose(1, 2, 0)
    content = tiff(colours, photometric="rgb", extrasamples=["unassalpha"])
    assert stored_shape(content).channels == 3
    assert (read_stored(content)[0] == colours[..., :3]).all()


def test_eight_bits_are_read_as_ever():
    grey, colour = Image.new("L", (5, 4), 77), Image.new("RGBA", (5, 4), (200, 0, 0, 0))
    for image, channels, value in ((grey, 1, 77), (colour, 3, 255)):
        content = io.BytesIO()
        image.save(content, "PNG")
        assert stored_shape(content.getvalue()) == StoredShape(4, 5, channels, 1, False)
        assert (read_stored(content.getvalue()) == value).all()
    assert read_stored(PICTURES / "twelve_bit" / "cell0.png").max() == 2356
    assert (
        read_stored(PICTURES / "twelve_bit" / "cell0.png") == read_stored(PICTURES / "twelve_bit" / "cell0.tif")
    ).all()


def test_pages_are_chosen():
    pages = DEEP.transpose(0, 2, 3, 1)
    assert (take_pages(pages, "auto") == pages[0]).all()
    assert (take_pages(pages, "images", 2) == pages[2]).all()
    assert (take_pages(pages, "max") == pages.max(0)).all()
    assert np.allclose(take_pages(pages, "mean"), pages.mean(0))
    assert (take_pages(pages, "channels")[..., 4:8] == pages[1]).all()
    assert (take_pages(pages, (2, 0))[..., :4] == pages[2]).all()
    with pytest.raises(ValueError, match=r"data\.pages=3: it has 3 pages"):
        take_pages(pages, (3,))


@pytest.mark.parametrize("alpha", [False, True])
def test_a_png_of_16_bits_in_each_colour_keeps_them(tmp_path, alpha):
    imagecodecs = pytest.importorskip("imagecodecs")
    numbers = np.random.default_rng(0).integers(0, 65536, (9, 7, 4 if alpha else 3), dtype=np.uint16)
    if alpha:
        numbers[:4, :, 3], numbers[4:, :, 3] = 65535, 0
    content = imagecodecs.png_encode(numbers)
    assert stored_shape(content) == StoredShape(9, 7, 3, 1, True)
    (tmp_path / "deep.png").write_bytes(content)
    for place in (content, tmp_path / "deep.png"):
        pages = read_stored(place)
        assert pages.dtype == np.uint16
        np.testing.assert_array_equal(pages[0][:4], numbers[:4, :, :3])
        np.testing.assert_array_equal(pages[0][4:], 65535 if alpha else numbers[4:, :, :3])
    with pytest.raises(ValueError, match=r"."):
        read_stored(content[: len(content) // 2])


def test_what_cannot_be_read_is_said(tmp_path):
    whole = tiff(DEEP, ome=True, metadata={"axes": "ZCYX"})
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:9]):
        with pytest.raises(ValueError):  # noqa: PT011  every damage has words of its own
            read_stored(content)
    with pytest.raises(ValueError, match="No such file"):
        read_stored(tmp_path / "none.tif")
