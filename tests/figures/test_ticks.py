import pytest
from hypothesis import given
from hypothesis import strategies as st

from unweave.figures.ticks import format_number, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_even_and_inside(low, width):
    marks = ticks(low, low + width, 5)
    assert 1 <= len(marks) <= 7
    assert all(low - 1e-6 * width - 1e-9 <= mark <= low + width + 1e-6 * width + 1e-9 for mark in marks)


def test_ticks_are_round():
    assert ticks(0, 1, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(3, 3) == [3]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.05, "0.05"), (-3, "-3"), (1280, "1280"), (250_000, "250k"), (1_500_000, "1.5M"), (1e-5, "1e-05")],
)
def test_numbers_are_short(value, text):
    assert format_number(value) == text
