import numpy as np
import pytest

from unweave.data.formats import _image_arrays
from unweave.data.formats._image_arrays import check_dimensions, conversion_hint, count_channels, sample_size

BYTES = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)


@pytest.mark.parametrize(
    ("images", "hint"),
    [
        (BYTES > 9, "got bool; store images.astype(np.uint8) * 255"),
        (BYTES / 255, "got float64 in [0, 1]; store (images * 255).round().astype(np.uint8)"),
        (BYTES / 127.5 - 1, "got float64 in [-1, 1]; store ((images + 1) * 127.5).round().astype(np.uint8)"),
        (BYTES.astype(np.float32), "got float32 in [0, 255]; store images.round().astype(np.uint8)"),
        (BYTES * 2.0, "got float64 in [0, 510]; scale them to 0..255, then .round().astype(np.uint8)"),
        (np.where(BYTES == 70, np.inf, BYTES), "got float64 with NaN or infinite pixels in 1 images (the first is 1)"),
        (BYTES.astype(int), "got int64; store images.astype(np.uint8)"),
        (BYTES.astype(int) - 1, "got int64; scale them to 0..255, then .astype(np.uint8)"),
    ],
)
def test_the_hint_says_how_to_convert(images, hint):
    assert conversion_hint(images) == hint


@pytest.mark.parametrize("shape", [[8, 8], [1, 4, 8, 8, 3], [0, 8, 8], [4, 8, 0, 3]])
def test_images_have_three_or_four_dimensions_and_none_is_empty(shape):
    check_dimensions([4, 8, 8], "a")
    check_dimensions([4, 8, 8, 3], "a")
    with pytest.raises(ValueError, match=r"^a (must be \[N, H, W, C\]|hold no image)"):
        check_dimensions(shape, "a")


def test_images_have_one_or_three_channels():
    assert [count_channels(shape, "a") for shape in ([4, 8, 8], [4, 8, 8, 1], [4, 8, 8, 3])] == [1, 1, 3]
    for shape, message in (
        ([4, 8, 8, 4], "probably alpha"),
        ([4, 3, 8, 8], "channels-first"),
        ([4, 8, 8, 2], "1 or 3"),
    ):
        with pytest.raises(ValueError, match=message):
            count_channels(shape, "a")


def test_few_images_are_looked_at(monkeypatch):
    monkeypatch.setattr(_image_arrays, "SAMPLED_NUMBERS", 200)
    assert [sample_size(shape) for shape in ([4, 8, 8], [2, 8, 8], [4, 8, 8, 3], [9, 99, 99])] == [3, 2, 1, 1]
