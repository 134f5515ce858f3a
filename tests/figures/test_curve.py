import math
import warnings

import numpy as np
import pytest

from unweave.figures.curve import CURVE_COLOURS, plot_curves

ROWS = [{"seen": 100 * i, "total": math.exp(-i / 5) + 0.01, "l_va": 0.02} for i in range(40)]


def colours(picture):
    return {colour for _, colour in picture.getcolors(1_000_000)}


def test_every_term_is_drawn_in_its_colour():
    assert set(CURVE_COLOURS[:2]) <= colours(plot_curves(ROWS))
    assert CURVE_COLOURS[1] not in colours(plot_curves(ROWS, ["total"]))


def test_the_size_is_the_one_asked_for():
    assert plot_curves(ROWS, title="a run", size=(500, 300)).size == (500, 300)


def test_a_long_legend_makes_room_for_itself():
    rows = [{"seen": seen, **{f"term {i}": float(i) for i in range(20)}} for seen in (0, 1)]
    picture = plot_curves(rows, size=(500, 300))
    assert picture.width == 500
    assert picture.height > 20 * 30


@pytest.mark.parametrize(("vertical", "values"), [("log", (1.0, 10.0, 100.0)), ("linear", (1.0, 50.5, 100.0))])
def test_places_are_linear_and_logarithmic(vertical, values):
    rows = [{"seen": seen, "total": value} for seen, value in enumerate(values)]
    line = (np.asarray(plot_curves(rows, vertical=vertical)) == CURVE_COLOURS[0]).all(2)[:, :640]  # without the legend
    heights = [np.flatnonzero(line[:, column]).mean() for column in np.flatnonzero(line.any(0))]
    straight = np.linspace(heights[0], heights[-1], len(heights))
    assert heights[0] - heights[-1] > 200
    assert np.abs(heights - straight).max() < 2


def test_auto_is_logarithmic_for_a_wide_positive_range():
    assert plot_curves(ROWS).tobytes() == plot_curves(ROWS, vertical="log").tobytes()
    below = [{"seen": row["seen"], "total": row["total"] - 2} for row in ROWS]
    assert plot_curves(below).tobytes() == plot_curves(below, vertical="linear").tobytes()


def test_gaps_and_values_that_are_no_numbers_are_left_out():
    holes = [
        *ROWS,
        {"seen": 4100},
        {"seen": 4200, "total": math.nan},
        {"seen": 4300, "total": math.inf},
        {"total": 9.0},
    ]
    assert plot_curves(holes).tobytes() == plot_curves(ROWS).tobytes()


def test_one_row_and_many_rows_can_be_drawn():
    assert CURVE_COLOURS[0] in colours(plot_curves(ROWS[:1], ["total"]))
    many = [{"seen": i, "total": 1 + math.sin(i)} for i in range(2000)]
    assert CURVE_COLOURS[0] in colours(plot_curves(many))


def test_wrong_calls_say_what_is_right():
    with pytest.raises(LookupError, match=r"the log has no 'totl'\. It has: total, l_va\."):
        plot_curves(ROWS, ["totl"])
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_curves([{"seen": 0, "total": math.nan}])
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_curves([])


def test_names_are_drawn_as_they_are_written():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_curves([{"seen": 0, "price $x^{$": 1.0, "\u9762\u79ef": 2.0}], title="$a^{$", x_label="$b^{$")
    hidden, shown = (plot_curves([{"seen": 0, name: 1.0}]) for name in ("_a", "ba"))
    legend = [(np.asarray(picture)[:, 660:] < 128).all(2).sum() for picture in (hidden, shown)]
    assert legend[0] > 0.5 * legend[1] > 0
