from pathlib import Path

import numpy as np
from tests.evaluation.shades import Shades, shade_dataset

from unweave.evaluation.report.first_look import TrainingSoFar, UnitLook, is_first_look, render_look, strongest_units
from unweave.evaluation.report.report import set_aside


def test_the_strongest_units_come_first() -> None:
    dataset = shade_dataset(60)
    looks = strongest_units(Shades(), dataset)
    assert len(looks) == 4
    assert all(strip.shape == (7, 8, 8, 1) for look in looks for strip in look.strips)
    change = [np.abs(look.strips[0][-1].astype(float) - look.strips[0][0]).mean() for look in looks]
    assert change == sorted(change, reverse=True)


def test_the_page_says_how_long_and_is_replaced(tmp_path: Path) -> None:
    state = TrainingSoFar(tmp_path / "a <run>", "encdiff", 30_000, 120_000, 7.4)
    looks = [UnitLook("<b>hue", [np.zeros((7, 8, 8, 3), np.uint8)])]
    page = tmp_path / "report.html"
    page.write_text(render_look(state, looks))
    text = page.read_text()
    assert "30,000 of 120,000 images" in text
    assert "about 7 min of training left" in text
    assert "width:25.0%" in text
    assert "&lt;b&gt;hue" in text
    assert "a &lt;run&gt;" in text
    assert is_first_look(page)
    set_aside(page)
    assert not page.exists()
    assert list(tmp_path.iterdir()) == []
    ended = render_look(state._replace(seen=120_000, minutes_left=None), looks)
    assert "the report is being made" in ended
    assert "--resume" in render_look(state._replace(minutes_left=None), looks)


def test_a_report_is_no_first_look(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<!doctype html>\n<html>")
    assert not is_first_look(tmp_path / "report.html")
    assert not is_first_look(tmp_path / "none.html")
