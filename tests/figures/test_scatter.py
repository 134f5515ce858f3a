import xml.etree.ElementTree as ElementTree

import pytest

from unweave.figures.scatter import ScatterPoint, scatter_svg

SVG = scatter_svg(
    {"a <b>": [ScatterPoint(10.0, 0.5, 0.4, 0.6), ScatterPoint(20.0, 0.75)], "alone": [ScatterPoint(20.0, 0.1)]},
    "seconds & more",
    "score",
)  # fmt: skip


def test_every_point_has_its_place_and_says_what_it_is() -> None:
    root = ElementTree.fromstring(SVG)
    titles = [title.text for title in root.iter("title")]
    assert titles == ["a <b>: 0.500 at 10", "a <b>: 0.750 at 20", "alone: 0.100 at 20"]
    first, second, third = [point for point in root.iter("circle") if point.find("title") is not None]
    assert float(first.get("cx")) < float(second.get("cx")) == float(third.get("cx"))
    assert float(second.get("cy")) < float(first.get("cy")) < float(third.get("cy"))
    assert first.get("fill") == second.get("fill") != third.get("fill")


def test_the_points_of_one_series_are_joined() -> None:
    assert len([*ElementTree.fromstring(SVG).iter("polyline")]) == 1


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        scatter_svg({"a": []}, "x", "y")
