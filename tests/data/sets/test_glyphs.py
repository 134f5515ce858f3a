import string

import numpy as np
import pytest

from unweave.data.sets import glyphs


@pytest.fixture(scope="module")
def pictures():
    return glyphs.draw(32).reshape(*glyphs.GRID.sizes, 32, 32).astype(np.float64) / 255


def test_there_are_26_letters_in_order():
    assert "".join(glyphs.LETTERS) == string.ascii_uppercase


@pytest.mark.parametrize("size", [16, 32])
def test_no_two_rows_give_the_same_picture(size):
    drawn = glyphs.draw(size)
    assert len({picture.tobytes() for picture in drawn}) == len(drawn) == len(glyphs.GRID)


def test_letters_never_touch_the_border(pictures):
    flat = pictures.reshape(-1, 32, 32)
    assert max(flat[:, 0].max(), flat[:, -1].max(), flat[:, :, 0].max(), flat[:, :, -1].max()) == 0


def test_slant_moves_the_top_against_the_bottom_and_keeps_the_height(pictures):
    stem = pictures[list(glyphs.LETTERS).index("I")]
    places = np.arange(32)
    top, bottom = (stem[..., row, :] @ places / stem[..., row, :].sum(-1) for row in (11, 20))
    per_row = (top - bottom) / 9
    assert np.allclose(per_row, glyphs.SLANTS[:, None, None], atol=0.02)
    rows = stem.sum(-1).clip(0, 1).sum(-1)
    assert (np.ptp(rows, axis=0) < 0.5).all()


def test_weight_is_the_width_of_a_stroke(pictures):
    upright = pictures[list(glyphs.LETTERS).index("T"), :, :, :, 20].sum(-1)  # the stem
    across = 2 * 32 * glyphs.WEIGHTS * np.sqrt(1 + glyphs.SLANTS[:, None] ** 2)
    assert np.allclose(upright.mean(2), across, rtol=0.15)


def test_width_stretches_the_letter_and_not_its_strokes(pictures):
    letter = pictures[list(glyphs.LETTERS).index("H")]
    columns = (letter.max(-2) > 0.5).sum(-1).astype(float)
    assert (np.diff(columns.mean((0, 1))) > 1).all()
    stems = letter[..., 12, :].sum(-1)
    assert (np.ptp(stems, axis=2) < 0.35).all()


def test_rows_out_of_range_are_refused():
    dataset = glyphs.build(glyphs.GlyphsSettings(size=16))
    assert dataset.images(np.array([0, 0, 6_239])).shape == (3, 16, 16, 1)
    with pytest.raises(IndexError):
        dataset.images(np.array([len(dataset)]))
