import numpy as np
import pytest

from unweave.data.sets import sprites


@pytest.fixture(scope="module")
def masks():
    return sprites.draw_masks(32)


def test_no_two_classes_give_the_same_picture(masks):
    assert len(masks) == 3 * 4 * 8 * 8 * 8
    assert len({mask.tobytes() for mask in masks}) == len(masks)


def test_sprites_never_touch_the_border(masks):
    assert max(masks[:, 0].max(), masks[:, -1].max(), masks[:, :, 0].max(), masks[:, :, -1].max()) == 0


def test_place_moves_the_sprite_and_changes_nothing_else(masks):
    area = masks.reshape(96, 64, -1).sum(2, dtype=float)
    assert (np.ptp(area, axis=1) / area.mean(1)).max() < 0.01
    down, right = np.indices((32, 32))
    weight = masks.reshape(96, 8, 8, 32, 32) / area.reshape(96, 8, 8, 1, 1)
    x, y = (weight * right).sum((3, 4)), (weight * down).sum((3, 4))
    assert np.allclose(np.diff(x, axis=1), 32 * 0.44 / 7, atol=0.15)
    assert np.allclose(np.diff(y, axis=2), 32 * 0.44 / 7, atol=0.15)


def test_area_is_that_of_the_shape(masks):
    area = masks.reshape(3, 4, 8, 64, -1).sum(4).mean((2, 3)) / 255 / 32**2
    scales = np.array(sprites.SCALES) ** 2
    assert np.allclose(area[0], 0.33**2 * scales, rtol=0.03)
    assert np.allclose(area[1], np.pi * 0.22 * 0.12 * scales, rtol=0.03)


def test_colours_are_the_six_hues():
    dataset = sprites.build(sprites.SpritesSettings(size=16))
    images = dataset.images(np.arange(6))
    assert images.max((1, 2)).tolist() == sprites.COLOURS.tolist()


def test_the_orientation_of_a_square_is_unambiguous_but_90_degrees_would_repeat():
    side = (np.arange(64) + 0.5) / 64 - 0.5
    u, v = np.broadcast_arrays(side[None, :], -side[:, None])
    assert (sprites.square(u, v) == sprites.square(-v, u)).all()
    assert sprites.TURN * 7 < 90


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="less than or equal to 128"):
        sprites.SpritesSettings(size=1000)
