import numpy as np
import torch
from tests.data.in_memory import InMemory
from tests.evaluation.shades import FACTORS, Shades, draw, shade_pictures

from unweave.evaluation.factor_names import EncodedRows
from unweave.evaluation.report.map_part import MAP_HEIGHT, MAP_WIDTH, code_parts, draw_map, map_part, measure_map
from unweave.runs.report_facts import FactorFacts, MapFacts
from unweave.tensors import to_images, to_pixels

SHOWN = [FactorFacts(f"f{i + 1}", factor, None, True) for i, factor in enumerate(FACTORS)]


def encoded(count: int, channels: int = 1) -> EncodedRows:
    pictures = shade_pictures(count) * 0.2
    if count > 8:
        pictures[7] = draw(torch.tensor([[0.0, 0.0, 0.0, 1.0]]))[0]
        pictures[8] = pictures[3]
    dataset = InMemory("shades", np.repeat(to_pixels(pictures), channels, axis=3))
    rows = np.arange(count)
    return EncodedRows(dataset, rows, Shades().encode(to_images(dataset.images(rows))).numpy())


def test_the_map_names_what_is_unusual_and_what_is_twice() -> None:
    images = encoded(120)
    measured = measure_map(images, code_parts(images, SHOWN, []), 0)
    assert measured is not None
    facts, pictures = measured
    assert facts.outliers[0].image == 7
    assert facts.outliers[0].why[0] == "f4"
    assert any("brightness" in why or "contrast" in why for why in facts.outliers[0].why)
    assert facts.near_duplicates[0] == (3, 8)
    assert pictures.drawn.shape == (MAP_HEIGHT, MAP_WIDTH, 3)
    assert MapFacts.from_json(facts.to_json()) == facts
    page = map_part(facts, pictures)
    assert "unweave[map]" in page
    assert "3, 8" in page
    assert page.count("<img") == 1 + len(facts.outliers) + min(8, len(facts.near_duplicates))


def test_channels_that_are_no_colours_are_measured_as_they_are_shown() -> None:
    images = encoded(120, channels=2)
    measured = measure_map(images, code_parts(images, SHOWN, []), 0)
    assert measured is not None
    assert measured[0].outliers[0].image == 7


def test_a_handful_has_no_map() -> None:
    assert measure_map(encoded(8), code_parts(encoded(8), SHOWN, []), 0) is None
    assert map_part(None, None) == ""


def test_thumbnails_do_not_cover_each_other_and_marked_ones_are_framed() -> None:
    places = np.array([[0.0, 0.0], [0.001, 0.0], [1.0, 1.0]])
    red = np.zeros((3, 16, 16, 3), np.uint8)
    red[..., 0] = 255
    drawn = draw_map(places, lambda rows: red[rows], [1], 0)
    pure = (drawn == [255, 0, 0]).all(2)
    assert 1.5 * 16 * 16 < pure.sum() < 2.5 * 16 * 16
