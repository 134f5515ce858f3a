import numpy as np
import pytest

from unweave.data.reading.image_files import resize_pixels
from unweave.data.reading.intensity import choose_range, full_range, sample_numbers, take_channels, to_size
from unweave.data.settings import PictureSettings, Reading

RNG = np.random.default_rng(0)
DEEP = RNG.integers(300, 2356, (40, 60, 2), dtype=np.uint16)


def settings(**changed):
    return PictureSettings(name="x", **changed)


def chosen(numbers, dtype, **changed):
    return choose_range(settings(**changed), np.asarray(numbers, float).reshape(-1, 1), np.dtype(dtype))[0]


def test_the_range_is_full_where_half_of_it_is_used_else_of_the_percentiles():
    assert chosen(range(65_536), "uint16") == (0, 65_535)
    low, high = chosen(range(300, 2356), "uint16")
    assert 300 <= low < 301
    assert 2354 < high <= 2355
    assert chosen(range(300, 2356), "uint16", range="full") == (0, 65_535)
    assert chosen(range(40), "uint8") == (0, 255)
    assert chosen(range(40), "uint8", range="percentile")[1] < 40
    assert chosen([7, 7, 7], "uint16") == (7, 8)


def test_the_range_may_be_given_for_all_or_each():
    numbers = DEEP.reshape(-1, 2).astype(float)
    for given in ("300,4095", (300, 4095)):
        assert choose_range(settings(range=given), numbers, DEEP.dtype) == ((300, 4095),) * 2
    assert choose_range(settings(range=((1, 2), (3, 4))), numbers, DEEP.dtype) == ((1, 2), (3, 4))
    with pytest.raises(ValueError, match="the lower number must be below"):
        settings(range="5,5")


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest", "expected"),
    [
        ("bool", 0, 1, (0, 1)),
        ("int8", -3, 4, (-128, 127)),
        ("float32", 0, 0.9, (0, 1)),
        ("float32", -1, 0.9, (-1, 1)),
        ("float64", 0, 255, (0, 255)),
        ("int64", 0, 255, (0, 255)),
        ("float64", -3, 255, None),
    ],
)
def test_the_full_range_of_a_type(dtype, lowest, highest, expected):
    assert full_range(np.dtype(dtype), float(lowest), float(highest)) == expected


def test_a_float_without_a_full_range_is_explained():
    with pytest.raises(ValueError, match=r"data\.range=full: float64 has no full range"):
        chosen([-7, 900], "float64", range="full")


def test_pictures_with_nan_do_not_set_the_range():
    picture = np.full((4, 4, 1), 2.0)
    assert sample_numbers([picture, np.full((4, 4, 1), np.nan)]).tolist() == [[2.0]] * 16
    with pytest.raises(ValueError, match="NaN or infinite"):
        sample_numbers([np.full((4, 4, 1), np.inf)])


def test_channels_by_name_and_number():
    colours = RNG.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    assert take_channels(colours, "rgb") is colours
    assert (take_channels(colours[..., :1], "rgb") == colours[..., :1]).all()
    assert np.abs(take_channels(colours, "grey")[..., 0] - colours @ [0.299, 0.587, 0.114]).max() <= 0.5
    assert (take_channels(colours, (2, 0)) == colours[..., [2, 0]]).all()
    for channels, message in (((3,), "counted from 0"), ("rgb", "2 channels, so data.channels=rgb cannot be")):
        with pytest.raises(ValueError, match=message):
            take_channels(colours[..., :2], channels)


READING = Reading(channels=(0, 1), range=((300, 2355), (0, 4095)))


def test_numbers_become_the_bytes_that_a_person_would_make():
    low, high = np.array(READING.range).T
    by_hand = ((DEEP - low) / (high - low) * 255).round().astype(np.uint8)
    assert np.abs(to_size(DEEP, READING, None).astype(int) - by_hand).max() <= 1
    small = np.stack([resize_pixels(by_hand[None, ..., c : c + 1], (16, 16))[0, ..., 0] for c in range(2)], -1)
    assert np.abs(to_size(DEEP, READING, (16, 16)).astype(int) - small).max() <= 1


def test_other_proportions_are_cut_padded_or_squashed():
    white = np.full((20, 40, 1), 9.0)
    white[:, :8] = 0
    fits = {fit: Reading(channels="grey", range=((0, 9),), fit=fit) for fit in ("crop", "pad", "squash")}
    got = {fit: to_size(white, reading, (20, 20))[..., 0] for fit, reading in fits.items()}
    assert (got["crop"] >= 254).all()
    assert (got["pad"][:5] == 0).all()
    assert (got["pad"][-5:] == 0).all()
    assert (got["pad"][6:14, 8:] >= 254).all()
    assert (got["squash"][:, 8:] >= 254).all()
    assert (got["squash"][:, :2] <= 2).all()


def test_a_tile_is_cut_out():
    assert (to_size(DEEP, READING, (8, 8), (10.0, 4.0, 18.0, 12.0)) == to_size(DEEP[4:12, 10:18], READING, None)).all()


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="counted from 0"):
        to_size(DEEP[..., :1], READING, None)
    with pytest.raises(ValueError, match="NaN or infinite"):
        to_size(np.where(DEEP[0, 0, 0] == DEEP, np.nan, DEEP), READING, None)
