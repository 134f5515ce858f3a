import numpy as np
import pytest

from unweave.app.explorer import Explorer
from unweave.app.picture_set import PictureSet
from unweave.runs.run import Run


@pytest.fixture
def pictures(factored_run: Run) -> PictureSet:
    return PictureSet(Explorer(factored_run))


def test_the_ends_of_a_factor_differ_in_it_and_a_half_from_itself_does_not(pictures: PictureSet) -> None:
    low, high = pictures.ends(1)
    first = pictures.contrast(low, high)[0]
    assert first.delta == 1.0
    assert first.adjusted < 1e-6
    assert {each.slider for each in pictures.contrast(high, low)} == {0, 1, 2}
    assert next(each.delta for each in pictures.contrast(high, low) if each.slider == first.slider) == -1.0


def test_selections_are_apart_and_not_too_small(pictures: PictureSet) -> None:
    rows = pictures.rows.tolist()
    with pytest.raises(ValueError, match="at least 3"):
        pictures.contrast(rows[:2], rows[5:9])
    with pytest.raises(ValueError, match="2 pictures are in both"):
        pictures.contrast(rows[:5], rows[3:9])


def test_the_map_ranks_pictures_in_the_unit_square(pictures: PictureSet) -> None:
    mapped = pictures.mapped(0, 1)
    assert mapped[:, 1:].min() == 0
    assert mapped[:, 1:].max() == 1
    levels = pictures.levels[: len(mapped), 1]
    assert np.array_equal(np.argsort(levels, kind="stable"), np.argsort(mapped[:, 2], kind="stable"))


def test_an_odd_picture_is_found(pictures: PictureSet) -> None:
    pictures.codes[7] += 50
    assert pictures.outliers(3)[0][0] == pictures.rows[7]
