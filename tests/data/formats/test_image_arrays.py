import numpy as np
import pytest

from unweave.config import SettingsError
from unweave.data.formats import _image_arrays
from unweave.data.formats._image_arrays import ImageArray, array_reader, check_shape, choose_array_reading
from unweave.data.settings import PictureSettings

DEEP = np.random.default_rng(0).integers(200, 3000, (9, 8, 8, 2), dtype=np.uint16)


def array(images=DEEP):
    return ImageArray("a", images.shape, images.dtype, lambda start, stop: images[start:stop])


def settings(**changed):
    return PictureSettings(name="x", **changed)


@pytest.mark.parametrize("shape", [[8, 8], [1, 4, 8, 8, 3], [0, 8, 8], [4, 8, 0, 3]])
def test_images_have_three_or_four_dimensions_and_none_is_empty(shape):
    assert check_shape([4, 8, 8], DEEP.dtype, "a") == (4, 8, 8, 1)
    assert check_shape([4, 8, 8, 64], DEEP.dtype, "a") == (4, 8, 8, 64)
    with pytest.raises(ValueError, match=r"^a (must be \[N, H, W, C\]|hold no image)"):
        check_shape(shape, DEEP.dtype, "a")


def test_channels_are_last_and_few():
    for shape in ([4, 3, 8, 8], [4, 2, 16, 16], [4, 8, 8, 65]):
        with pytest.raises(ValueError, match="1 to 64 channels last"):
            check_shape(shape, DEEP.dtype, "a")
    with pytest.raises(ValueError, match="look channels-first"):
        check_shape([4, 2, 16, 16], DEEP.dtype, "a")


def test_rows_are_pixels_by_the_range_of_each_channel(monkeypatch):
    monkeypatch.setattr(_image_arrays, "READ_BYTES", 300)
    reading = choose_array_reading(array(), settings(range=((200, 3000), (0, 6000))))
    pixels = array_reader(array(), reading, (8, 8))(2, 7).pixels
    exact = (DEEP[2:7] - np.array([200.0, 0])) / np.array([2800.0, 6000]) * 255
    assert np.abs(pixels - exact).max() <= 0.51


def test_a_reading_is_chosen_from_rows():
    reading = choose_array_reading(array(), settings())
    assert reading.channels == (0, 1)
    assert all(200 <= low < 260 and 2940 < high < 3000 for low, high in reading.range)
    with pytest.raises(SettingsError, match="3 pairs for 2 channels"):
        choose_array_reading(array(), settings(range=((0, 1),) * 3))
    bytes4 = np.zeros((2, 8, 8, 4), np.uint8)
    with pytest.raises(ValueError, match=r"probably alpha: data\.channels=rgb"):
        choose_array_reading(array(bytes4), settings())
    assert choose_array_reading(array(bytes4), settings(channels="rgb")).channels == (0, 1, 2)
