import subprocess
import sys

import numpy as np
import pytest

from unweave.figures.matrix import plot_matrix

SHARES = np.array([[0.9, 0.0], [0.1, 0.5], [0.0, 0.5]])


def test_a_column_for_every_unit_and_a_row_for_every_factor():
    small, tall = (
        plot_matrix(SHARES, ["hue", "size"]),
        plot_matrix(np.concatenate([SHARES, SHARES], axis=1), list("abcd")),
    )
    assert tall.height - small.height == 2 * 44
    three_copies, five_copies = (plot_matrix(np.concatenate([SHARES] * times), ["hue", "size"]) for times in (3, 5))
    assert five_copies.width - three_copies.width == 6 * 44


def test_the_largest_value_is_brightest_unless_a_scale_is_given():
    assert (np.asarray(plot_matrix(SHARES, ["hue", "size"])) == (252, 253, 191)).all(2).any()
    scaled = np.asarray(plot_matrix(SHARES, ["hue", "size"], high=2.0))[:-60]  # without the bar
    assert not (scaled == (252, 253, 191)).all(2).any()


@pytest.mark.parametrize("units", [1, 30, 1000])
def test_any_number_of_units_has_room(units):
    picture = plot_matrix(np.random.default_rng(0).random((units, 2)), ["a very long name of a factor, too long", "b"])
    assert picture.width <= 1300


def test_a_matrix_of_zeros_is_dark():
    assert plot_matrix(np.zeros((2, 2)), ["a", "b"], title="importance").size[0] > 0


@pytest.mark.parametrize(
    ("values", "names", "message"),
    [
        (SHARES, ["hue"], "a name for each of 2"),
        (-SHARES, ["a", "b"], "0 or more"),
        (SHARES * np.nan, ["a", "b"], "not finite"),
    ],
)
def test_what_cannot_be_drawn(values, names, message):
    with pytest.raises(ValueError, match=message):
        plot_matrix(values, names)


def test_drawing_a_matrix_needs_no_torch():
    code = "import sys, unweave.figures.matrix, unweave.figures.save; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_names_are_drawn_as_they_are_written():
    odd, names = "price $x^{$", ["$a^{$", "$b^{$", "c"]
    assert plot_matrix(SHARES, [odd, "$$"], units=names, title=odd, quantity=odd).width > 0
