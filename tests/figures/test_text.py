import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unweave.figures.text import text_size, wrap_text


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("abw _-/.\n"), max_size=60), st.integers(20, 200), st.integers(1, 4))
def test_a_label_never_leaves_its_place(text, width, lines):
    wrapped = wrap_text(text, 15, width, lines)
    assert wrapped.count("\n") < lines
    assert text_size(wrapped, 15)[0] <= width


def test_what_fits_stays_as_it_is():
    assert wrap_text("unit 3", 15, 200, 1) == "unit 3"
    assert wrap_text("unit 3\n0 to 1", 15, 200, 2) == "unit 3\n0 to 1"


def test_breaks_at_spaces_before_underscores():
    assert wrap_text("a_b c_d", 15, text_size("a_b c_", 15)[0], 2) == "a_b\nc_d"


@pytest.mark.parametrize("text", ["floor_hue_of_the_room", "incomprehensibilities"])
def test_what_does_not_fit_says_so(text):
    assert wrap_text(text, 15, 60, 1).endswith("…")


def test_characters_that_the_font_lacks_are_replaced():
    assert wrap_text("\N{MINUS SIGN}1 \N{EN DASH} 2 \N{MULTIPLICATION SIGN} 3", 15, 200, 1) == "-1 - 2 x 3"


def test_no_text_has_no_extent():
    assert text_size("", 15) == (0, 0)
