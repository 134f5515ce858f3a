import numpy as np
import pytest
import torch

from unweave.figures.grid import GAP, balanced_columns, grid, tiles
from unweave.figures.text import ACCENT_COLOUR, MARGIN, text_size

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)


def test_every_pixel_of_every_image_is_in_its_cell():
    picture = np.asarray(grid([PIXELS, PIXELS[::-1].copy()], scale=2))
    step = 16 + GAP
    for row, images in enumerate((PIXELS, PIXELS[::-1])):
        for column, image in enumerate(images):
            y, x = MARGIN + row * step, MARGIN + column * step
            assert np.array_equal(picture[y : y + 16 : 2, x : x + 16 : 2], image)


def test_tensors_and_pixels_give_the_same_picture():
    images = torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 127.5 - 1
    assert grid([images], ["a"]).tobytes() == grid([PIXELS], ["a"]).tobytes()


def test_labels_make_room_and_long_ones_never_more_than_their_share():
    plain, labelled = grid([PIXELS]), grid([PIXELS], ["row"], ["a", "b", "c"], title="title")
    assert labelled.width > plain.width
    assert labelled.height > plain.height
    endless = grid([PIXELS], ["word " * 90], ["word_" * 90] * 3)
    assert endless.width <= plain.width + 160
    assert endless.height <= plain.height + 3 * text_size("a", 15)[1] + 6


def test_a_row_may_be_shorter():
    assert grid([PIXELS, PIXELS[:1]]).width == grid([PIXELS]).width


def test_framed_cells_have_the_accent():
    colours = {colour for _, colour in grid([PIXELS], frames=[(0, 1)]).getcolors(100_000)}
    assert ACCENT_COLOUR in colours
    assert ACCENT_COLOUR not in {colour for _, colour in grid([PIXELS]).getcolors(100_000)}


def test_wrong_calls_say_what_is_right():
    with pytest.raises(ValueError, match="one label for every row, got 2 labels for 1"):
        grid([PIXELS], ["a", "b"])
    with pytest.raises(ValueError, match="one label for every column, got 1 labels for 3"):
        grid([PIXELS], None, ["a"])
    with pytest.raises(ValueError, match="of one size"):
        grid([PIXELS, PIXELS[:, :4]])
    with pytest.raises(ValueError, match="at least one image"):
        grid([])
    with pytest.raises(ValueError, match="one label for every tile"):
        tiles(PIXELS, ["a"])


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (8, 8), (10, 5), (20, 7), (24, 8)])
def test_tiles_fill_their_rows(count, columns):
    assert balanced_columns(count) == columns


def test_tiles_show_every_image():
    picture = tiles(PIXELS, ["a", "b", "c"], columns=2, scale=1)
    assert picture.width == 2 * MARGIN + 2 * 8 + 2 * GAP
    assert (
        PIXELS[2].tobytes()
        == picture.crop((MARGIN, picture.height - MARGIN - 8, MARGIN + 8, picture.height - MARGIN)).tobytes()
    )
