"""Every measurement on pictures where it is known."""

import numpy as np
import pytest

from unweave.factors.measurements import MEASUREMENTS, measure_pictures, object_of

EVERYWHERE = np.ones((1, 64, 64), bool)
Y, X = np.mgrid[:64, :64] + 0.5


def measured(picture: np.ndarray, region: np.ndarray = EVERYWHERE) -> dict[str, float]:
    table = measure_pictures(picture[None], region)[0, 0]
    return dict(zip([measurement.name for measurement in MEASUREMENTS], table.tolist()))


def painted(inside: np.ndarray, colour: tuple[int, int, int], ground: int = 0) -> np.ndarray:
    return np.where(inside[..., None], np.array(colour), ground).astype(np.uint8)


def ellipse(x: float, y: float, long: float, short: float, turn: float) -> np.ndarray:
    u = (X - x) * np.cos(turn) - (Y - y) * np.sin(turn)
    v = (X - x) * np.sin(turn) + (Y - y) * np.cos(turn)
    return (u / long) ** 2 + (v / short) ** 2 < 1


@pytest.mark.parametrize("turn", [0.3, 1.2, 2.8])
def test_an_ellipse_is_where_it_is_and_turned_as_it_is(turn: float) -> None:
    values = measured(painted(ellipse(20, 40, 15, 7, turn), (255, 0, 0)))
    assert values["horizontal position"] == pytest.approx(20 / 64, abs=0.01)
    assert values["vertical position"] == pytest.approx(40 / 64, abs=0.01)
    assert values["orientation"] == pytest.approx(turn, abs=0.03)
    assert values["elongation"] == pytest.approx(1 - 7 / 15, abs=0.02)
    assert values["area"] == pytest.approx(np.pi * 15 * 7 / 64**2, abs=0.005)
    assert values["solidity"] > 0.93


@pytest.mark.parametrize(("colour", "hue"), [((255, 0, 0), 0), ((0, 255, 255), 0.5), ((255, 0, 255), 5 / 6)])
def test_hue_and_saturation_are_those_of_what_is_coloured(colour: tuple[int, int, int], hue: float) -> None:
    values = measured(painted(ellipse(32, 32, 10, 10, 0), colour, ground=128))
    assert abs((values["hue"] - hue + 0.5) % 1 - 0.5) < 1e-6
    assert 0 < values["saturation"] < 1


def test_a_disc_is_rounder_than_a_star_and_has_no_orientation() -> None:
    disc, cross = (
        ellipse(32, 32, 15, 15, 0),
        (abs(X - 32) < 4) & (abs(Y - 32) < 16) | (abs(Y - 32) < 4) & (abs(X - 32) < 16),
    )
    round_, star = measured(painted(disc, (255, 255, 255))), measured(painted(cross, (255, 255, 255)))
    assert round_["circularity"] > 0.85 > 0.6 > star["circularity"]
    assert round_["solidity"] > 0.95 > 0.7 > star["solidity"]
    assert np.isnan(round_["orientation"])


def test_wider_stripes_have_a_larger_texture_scale_and_fewer_edges() -> None:
    narrow, wide = (measured(painted(np.sin(2 * np.pi * X / period) > 0, (255, 255, 255))) for period in (4, 16))
    assert wide["texture scale"] > 1.5 * narrow["texture scale"]
    assert wide["edge density"] < narrow["edge density"]
    assert narrow["brightness"] == pytest.approx(0.5) == wide["brightness"]
    assert narrow["contrast"] == pytest.approx(0.5)


def test_a_region_is_measured_alone() -> None:
    picture = np.concatenate([painted(X[:32] > 0, (255, 0, 0)), painted(X[:32] > 0, (0, 0, 255))])
    upper = np.zeros((1, 64, 64), bool)
    upper[:, :32] = True
    assert measured(picture, upper)["hue"] == 0
    assert measured(picture, ~upper)["hue"] == pytest.approx(2 / 3)


def test_a_plain_grey_picture_has_neither_hue_nor_object() -> None:
    values = measured(np.full((64, 64, 1), 90, np.uint8))
    assert values["brightness"] == pytest.approx(90 / 255)
    assert values["area"] == 0
    undefined = {name for name, value in values.items() if np.isnan(value)}
    outline = {"horizontal position", "vertical position", "orientation", "elongation", "solidity", "circularity"}
    assert undefined == {"hue", "texture scale"} | outline


def test_what_stands_on_the_lower_border_is_an_object_and_small_specks_are_not() -> None:
    thing = (abs(X - 32) < 10) & (Y > 30)
    picture = painted(thing | (abs(X - 5) + abs(Y - 5) < 3), (255, 255, 0), ground=200)
    assert (object_of(picture / 255) == thing).all()


def test_a_thing_with_a_bright_kernel_is_one_object() -> None:
    thing, kernel = (np.hypot(X - 32, Y - 32) < radius for radius in (20, 9))
    picture = painted(thing, (0, 80, 0), ground=10)
    picture[kernel] = (255, 255, 255)
    assert (object_of(picture / 255) == thing).all()


@pytest.mark.parametrize("radius", [4, 8])
def test_a_small_thing_on_an_unevenly_lit_ground_is_the_object(radius: int) -> None:
    light = 90 + 50 * np.exp(-(((X - 32) / 24) ** 2 + ((Y - 32) / 24) ** 2))
    picture = np.repeat(light[..., None], 3, 2).round().astype(np.uint8)
    thing = np.hypot(X - 32, Y - 32) < radius
    picture[thing] = (255, 0, 0)
    assert (object_of(picture / 255) == thing).mean() > 0.99


def test_large_pictures_measure_as_small_ones_do() -> None:
    small = painted(ellipse(20, 40, 15, 7, 0.5), (0, 255, 0))
    large = small.repeat(6, 0).repeat(6, 1)
    few, many = measured(small), measured(large, np.ones((1, 384, 384), bool))
    for name in ("brightness", "hue", "area", "horizontal position", "vertical position", "orientation"):
        assert many[name] == pytest.approx(few[name], abs=0.02), name
