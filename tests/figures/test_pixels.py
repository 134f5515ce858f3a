import numpy as np
import torch

from unweave.figures.pixels import default_scale, enlarge, numpy_maps, rgb_pixels, use_colours


def test_the_range_is_minus_one_to_one_and_clipped():
    images = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, float("nan")]).reshape(1, 1, 1, 6)
    assert rgb_pixels(images)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


def test_grey_becomes_rgb_and_pixels_stay():
    grey = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
    assert np.array_equal(rgb_pixels(grey), grey.repeat(3, axis=3))
    colour = np.arange(36, dtype=np.uint8).reshape(1, 3, 4, 3)
    assert np.array_equal(rgb_pixels(colour), colour)


def test_pixels_survive_the_round_trip():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    images = torch.from_numpy(values).permute(0, 3, 1, 2) / 127.5 - 1
    assert np.array_equal(rgb_pixels(images), rgb_pixels(values))


def test_other_channels_are_light_of_their_colours():
    pixels = np.zeros((1, 1, 3, 2), np.uint8)
    pixels[0, 0, 0, 0], pixels[0, 0, 1, 1], pixels[0, 0, 2] = 255, 100, 255
    assert rgb_pixels(pixels)[0, 0].tolist() == [[0, 128, 0], [100, 0, 100], [255, 128, 255]]
    assert rgb_pixels(np.full((1, 2, 2, 64), 255, np.uint8)).shape == (1, 2, 2, 3)


def test_colours_are_chosen():
    try:
        use_colours(["#ff0000", "blue"])
        assert rgb_pixels(np.full((1, 1, 1, 2), 9, np.uint8)).tolist() == [[[[9, 0, 9]]]]
    finally:
        use_colours(None)


def test_nothing_is_smoothed():
    image = np.random.default_rng(0).integers(0, 255, (4, 5, 3), dtype=np.uint8)
    assert np.array_equal(enlarge(image, 3)[1::3, 1::3], image)
    assert [default_scale(size, size) for size in (28, 32, 64, 128, 256)] == [4, 4, 2, 1, 1]


def test_maps_are_arrays():
    assert np.array_equal(numpy_maps(torch.ones(2, 3, 4)), np.ones((2, 3, 4)))
