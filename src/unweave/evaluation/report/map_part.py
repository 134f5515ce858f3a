"""The part of a report's page that shows all images at once: a map of their codes, outliers, and near-duplicates."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from unweave import progress
from unweave.evaluation.code_map import (
    CodePart,
    find_outliers,
    joint_codes,
    map_codes,
    near_duplicates,
    unusual_measurements,
)
from unweave.evaluation.factor_names import NAMED_ROWS, EncodedRows
from unweave.evaluation.report.factor_cards import FILTERS, PACKAGE
from unweave.evaluation.report.pictures import MapPictures, image_tag
from unweave.factors.measurements import MEASUREMENTS, measure_pictures
from unweave.figures.html import template
from unweave.figures.pixels import rgb_pixels
from unweave.figures.text import ACCENT_COLOUR
from unweave.runs.report_facts import FactorFacts, MapFacts, OutlierFacts, UnitFacts
from unweave.types import Pixels

MAP_WIDTH, MAP_HEIGHT, THUMBNAIL = 960, 640, 44  # pixels
OUTLIERS, PAIRS_SHOWN = 12, 8
REASONS = 3  # of an outlier


ReadPositions = Callable[[np.ndarray], Pixels]
"""Gives the images of rows by their position among the codes."""


def code_parts(encoded: EncodedRows, factors: Sequence[FactorFacts], units: Sequence[UnitFacts]) -> list[CodePart]:
    """The codes of every factor that is shown; without any, of every live unit that is one number for itself."""
    codes = encoded.codes
    parts = [
        CodePart(
            each.factor.name or f"{each.word} {each.factor.measured or ''}".strip(), _flat(codes, each.factor.units)
        )
        for each in factors
        if each.shown
    ]
    live = [unit for unit in units if unit.state == "live" and unit.word.isdecimal()]
    return parts or [CodePart(unit.name, _flat(codes, [int(unit.word)])) for unit in live]


def measure_map(encoded: EncodedRows, parts: Sequence[CodePart], seed: int) -> tuple[MapFacts, MapPictures] | None:
    """The map of the rows, its outliers with what is unusual about them, and near-duplicates; None for fewer than ten
    rows or without parts.
    """
    rows, dataset = encoded.rows, encoded.dataset
    if len(rows) < 10 or not parts:
        return None
    with progress.task("drawing the map", None, "images"):
        codes = joint_codes(parts)
        drawing = map_codes(codes, seed)
        outliers = find_outliers(parts, OUTLIERS)

        def flat_images(positions: np.ndarray) -> Float[np.ndarray, "row value"]:
            return dataset.images(rows[positions]).reshape(len(positions), -1).astype(np.float32) / 255

        pairs = near_duplicates(codes, flat_images, seed)
        reasons = _reasons(encoded, [outlier.row for outlier in outliers], seed)

    def name(position: int) -> str | int:
        return dataset.files[rows[position]] if dataset.files else int(rows[position])

    facts = MapFacts(
        drawing.drawing,
        [
            OutlierFacts(name(outlier.row), outlier.times, (outlier.unusual[:REASONS] + why)[: REASONS + 1])
            for outlier, why in zip(outliers, reasons)
        ],
        [(name(one), name(other)) for one, other in pairs],
    )
    marked = [outlier.row for outlier in outliers]
    return facts, MapPictures(
        draw_map(drawing.places, lambda positions: dataset.images(rows[positions]), marked, seed),
        [dataset.images(rows[[row]]) for row in marked],
        [dataset.images(rows[list(pair)]) for pair in pairs[:PAIRS_SHOWN]],
    )


def _reasons(encoded: EncodedRows, positions: Sequence[int], seed: int) -> list[list[str]]:
    """Of each of these rows, the measurements in which it is far from 200 others."""
    if not positions:
        return []
    rows, images = encoded.rows, encoded.dataset.images
    chosen = np.random.default_rng(seed).permutation(len(rows))[:NAMED_ROWS]
    pictures = np.concatenate([images(rows[list(positions)]), images(rows[np.sort(chosen)])])
    whole = np.ones((1, *pictures.shape[1:3]), bool)
    table = measure_pictures(rgb_pixels(pictures), whole)[0]
    straight = [i for i, measurement in enumerate(MEASUREMENTS) if measurement.period is None]
    names, table = [MEASUREMENTS[i].name for i in straight], table[:, straight]
    count = len(positions)
    return [unusual_measurements(table[i], table[count:], names)[:REASONS] for i in range(count)]


def draw_map(
    places: Float[np.ndarray, "row 2"], images: ReadPositions, marked: Sequence[int], seed: int
) -> UInt8[np.ndarray, "tall wide 3"]:
    """Every row as a dot, and as many as do not cover each other as thumbnails; the marked ones first, framed."""
    low, high = places.min(0), places.max(0)
    room = np.array([MAP_WIDTH - THUMBNAIL - 8, MAP_HEIGHT - THUMBNAIL - 8])
    middles = 4 + THUMBNAIL / 2 + (places - low) / np.where(high > low, high - low, 1) * room
    canvas = Image.new("RGB", (MAP_WIDTH, MAP_HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    for x, y in middles:
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=(150, 160, 170))
    shown = _apart(middles, [*marked, *np.random.default_rng(seed).permutation(len(places)).tolist()])
    for row, image in zip(shown, rgb_pixels(images(np.array(shown)))):
        picture = Image.fromarray(image)
        picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        x, y = (middles[row] - np.array(picture.size) / 2).round().astype(int).tolist()
        canvas.paste(picture, (x, y))
        if row in marked:
            frame = (x - 2, y - 2, x + picture.width + 1, y + picture.height + 1)
            draw.rectangle(frame, outline=ACCENT_COLOUR, width=2)
    return np.asarray(canvas)


def _apart(middles: Float[np.ndarray, "row 2"], order: Sequence[int]) -> list[int]:
    """Rows in this order, each that is a thumbnail's side away from those before it."""
    chosen: list[int] = []
    for row in order:
        if not chosen or (np.abs(middles[chosen] - middles[row]).max(1) > THUMBNAIL + 2).all():
            chosen.append(row)
    return chosen


def map_part(facts: MapFacts | None, pictures: MapPictures | None) -> str:
    """The map, the outliers and the near-duplicates, in HTML; nothing without a map."""
    if facts is None or pictures is None:
        return ""
    page = template(PACKAGE, "map.html.j2", **FILTERS, image=image_tag)
    return page.render(facts=facts, pictures=pictures)


def _flat(codes: Float[np.ndarray, "row unit dim"], units: Sequence[int]) -> Float[np.ndarray, "row number"]:
    return codes[:, list(units)].reshape(len(codes), -1)
