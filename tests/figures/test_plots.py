import numpy as np
import pytest

from unweave.figures.plots import fold, literal, new_axes, rgb, to_picture


def test_a_picture_has_the_size_asked_for_or_that_of_what_is_drawn():
    figure, axes = new_axes(300, 200, fill=True)
    axes.plot([0, 1], [0, 1], color=rgb((213, 94, 0)))
    assert to_picture(figure).size == (300, 200)
    assert to_picture(figure, bbox_inches="tight").width > 300  # the numbers stand outside
    assert (np.asarray(to_picture(figure)) == (213, 94, 0)).all(2).any()


def test_text_is_folded_and_cut():
    assert fold("one two", 7) == "one two"
    assert fold("one two three", 8, 2) == "one two\nthree"
    assert fold("one two three", 8) == "one two…"


@pytest.mark.parametrize("text", ["$x^2$", "5$", r"a\$b$", "plain"])
def test_a_dollar_begins_no_formula(text):
    axes = new_axes(300, 200)[1]
    axes.set_title(literal(text))
    assert axes.title._preprocess_math(axes.title.get_text()) == (text, False)
