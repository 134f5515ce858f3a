import math

from unweave.figures.terminal import chart


def test_a_falling_line_runs_from_the_upper_left_to_the_lower_right() -> None:
    drawn = chart([{"seen": i, "loss": 10 - i} for i in range(10)], "loss", width=10, height=3).splitlines()
    assert drawn[0] == "loss: 1 after 9 images"
    assert len(drawn) == 4
    lines = [line[-10:] for line in drawn[1:]]
    assert lines[0][0] != "\u2800"
    assert lines[0][-1] == "\u2800"
    assert lines[-1][-1] != "\u2800"
    assert drawn[1].split()[0] == "10"


def test_wide_ranges_are_logarithmic_and_odd_values_are_left_out() -> None:
    rows = [{"seen": i, "loss": 10.0**-i} for i in range(5)] + [{"seen": 9, "loss": math.nan}, {"seen": 10}]
    assert "logarithmic" in chart(rows, "loss")
    assert "after 4 images" in chart(rows, "loss")
    assert chart([{"seen": 1, "loss": math.inf}], "loss") == ""
    assert chart([{"seen": 1, "loss": 3.0}], "loss").startswith("loss: 3 after 1 images")
