"""What a report says of single units: how far each moves pixels, where, what it copies and follows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.evaluation.factor_names import EncodedRows
from unweave.evaluation.report.drawings import (
    REBUILT,
    STEPS,
    TRAVERSED,
    SwapMeasures,
    measure_reconstruction,
    measure_swaps,
    swapped_images,
    traversal_strips,
)
from unweave.evaluation.report.pictures import ExtremeImages, ReportPictures
from unweave.evaluation.report.real_rows import real_strips
from unweave.evaluation.report.unit_values import UnitState, followed_factors, unit_states, value_facts
from unweave.evaluation.swap_pictures import SwapPictures
from unweave.method import Method
from unweave.progress import Task
from unweave.runs.report_facts import FollowedFactor, Reconstruction, UnitFacts
from unweave.runs.unit_ranges import UnitValues, default_selection, measure_values, most_varying
from unweave.runs.units import UnitGroup, resolve_groups
from unweave.types import Rows

MAX_UNITS = 32  # that are looked at; the ones that vary most
EXTREMES = 8  # images at either end of a unit
FAINT_BELOW = 0.02  # of the change by the strongest unit (without a decoder: of its spread); below it a unit is dead


class Drawings(NamedTuple):
    """What a decoder makes of the units."""

    swaps: SwapMeasures
    reconstruction: Reconstruction
    pictures: ReportPictures  # maps of the swaps, and reconstructions


class MeasuredUnits(NamedTuple):
    """The facts of units, the strongest first, and what goes with them."""

    facts: list[UnitFacts]
    drawn: Drawings | None  # None without a decoder
    pictures: ReportPictures


def measure_units(
    encoded: EncodedRows, groups: list[UnitGroup], omitted: list[int], shown: Rows, swaps: SwapPictures | None
) -> MeasuredUnits:
    """Units (or groups) ranked by how far pixels move when the unit comes from another image: the mean absolute change,
    pixels in [0, 1], over the pairs of `swaps`.

    A unit is dead where that is below 2 % of the strongest unit's, and a copy where its rank correlation with a live
    one that moves more is 0.9 or larger. Both limits are ours. Without a decoder the standard deviation of the values
    takes the place of the change, and real images along the unit that of traversals. `omitted` units are in no group;
    rows that are drawn along units, and rebuilt, are the first of `shown`.

    Where factors are known, a unit follows the one of which it tells most: (I - I0) / (H - I0), I the mutual
    information in 20 bins, I0 that with shuffled factors (mean of 5), H the factor's entropy; its purity is the part of
    it among all factors. Factors with more classes than a tenth of the rows are left out. Labels change nothing else.
    """
    measured = measure_values(encoded.codes, groups)
    drawn, drawing = None, 0
    if swaps is not None:  # an inverted x_T is there and back
        drawing = swapped_images(swaps, groups, omitted) + REBUILT * (3 if swaps.editor.has_start() else 1)
    along = STEPS * TRAVERSED
    with progress.task("looking at units", drawing + len(groups) * along, "images") as task:
        if swaps is not None:
            drawn = _measure_drawings(swaps, groups, omitted, shown, task)
        effects = [] if drawn is None else [effect.amount for effect in drawn.swaps.effects]
        strength = np.array(effects) if effects else measured.values.astype(np.float64).std(0)
        order = np.argsort(-strength, kind="stable").tolist()
        states = unit_states(measured.values, order, strength >= np.maximum(FAINT_BELOW * strength.max(), 1e-12))
        live = [i for i in order if states[i].state == "live"]
        task.update(drawing, "traversals", drawing + len(live) * along)
        if swaps is None:
            rows, dataset = encoded.rows, encoded.dataset
            strips = {groups[i].word: real_strips(measured.values, i, rows, dataset) for i in live}
        else:
            strips = traversal_strips(swaps.editor, measured, live, shown) if live else {}
    facts = _unit_facts(measured, encoded, states, drawn)
    pictures = ReportPictures() if drawn is None else drawn.pictures
    ends = {
        groups[i].word: ExtremeImages(*map(encoded.dataset.images, _extremes(measured.values[:, i], encoded.rows)))
        for i in order
        if states[i].state != "dead"
    }
    return MeasuredUnits([facts[i] for i in order], drawn, replace(pictures, strips=strips, ends=ends))


def _unit_facts(
    measured: UnitValues, encoded: EncodedRows, states: Sequence[UnitState], drawn: Drawings | None
) -> list[UnitFacts]:
    """The facts of every group, in their order."""
    groups, values = measured.groups, value_facts(measured)
    known = encoded.dataset.factors(encoded.rows)
    follows: Sequence[FollowedFactor | None] = [None] * len(groups)
    if known is not None:
        follows = followed_factors(measured.values, known, encoded.dataset.factor_names)
    facts = []
    for i, (group, state) in enumerate(zip(groups, states)):
        extremes = None if state.state == "dead" else _extremes(measured.values[:, i], encoded.rows)
        unit = UnitFacts(
            word=group.word,
            name=group.name,
            size=len(group.units) * measured.dim,
            values=values[i],
            follows=follows[i],
            swap=None if drawn is None else drawn.swaps.effects[i],
            state=state.state,
            copy_of=None if state.copy_of is None else groups[state.copy_of].word,
            lowest=None if extremes is None else _file_names(encoded.dataset, extremes.lowest),
            highest=None if extremes is None else _file_names(encoded.dataset, extremes.highest),
        )
        facts.append(unit)
    return facts


def _measure_drawings(
    swaps: SwapPictures, groups: list[UnitGroup], omitted: list[int], rows: Rows, task: Task
) -> Drawings:
    drawing = swapped_images(swaps, groups, omitted)
    editor, measured = swaps.editor, measure_swaps(swaps, groups, omitted, task)
    task.update(drawing, "reconstructions")
    reconstruction, rebuilt = measure_reconstruction(editor, rows)
    maps = {group.word: change for group, change in zip(groups, measured.maps)}
    background = editor.dataset.images(rows[:1])[0]
    return Drawings(measured, reconstruction, ReportPictures(maps=maps, background=background, rebuilt=rebuilt))


def select_units(method: Method, codes: np.ndarray, names: Mapping[str, str]) -> tuple[list[UnitGroup], list[int]]:
    """The units or groups that vary most and those that a person named otherwise; and the units that are in none."""
    count = codes.shape[1]
    words = default_selection(method, count)
    named_too = [word for word in names.values() if word not in map(str, words)]
    groups = most_varying(codes, resolve_groups(method.unit_groups, count, words, names), MAX_UNITS)
    groups += resolve_groups(method.unit_groups, count, named_too, names)
    covered = {unit for group in groups for unit in group.units}
    return groups, [unit for unit in range(count) if unit not in covered]


class Extremes(NamedTuple):
    """Rows, the most extreme first."""

    lowest: Rows
    highest: Rows


def _extremes(values: np.ndarray, rows: Rows) -> Extremes:
    order = rows[np.argsort(values, kind="stable")]
    count = min(EXTREMES, len(order) // 2)
    return Extremes(order[:count], order[::-1][:count])


def _file_names(dataset: Dataset, rows: Rows) -> list[str | int]:
    files: Mapping[int, str] | Sequence[str] = dataset.files
    return [files[row] if files else int(row) for row in rows]
