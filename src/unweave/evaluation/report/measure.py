"""Everything that a report says of a run: how far every unit moves pixels, where, what it copies and follows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.data.views import base_dataset
from unweave.evaluation.metrics.swap_consistency import random_pairs
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
from unweave.evaluation.report.page import ExtremeImages, ReportPictures, Strip
from unweave.evaluation.report.unit_values import COPIES_FROM, followed_factors, unit_states, value_facts
from unweave.evaluation.run_editor import RunEditor
from unweave.method import Generative, Method, Sampling
from unweave.progress import Task
from unweave.runs.codes import code_table, how_to_decode
from unweave.runs.report_facts import Reconstruction, ReportData, ReportFacts, ReportSettings, UnitFacts
from unweave.runs.run import Run
from unweave.runs.unit_ranges import default_selection, measure_values, most_varying
from unweave.runs.units import UnitGroup, resolve_groups, unit_names
from unweave.types import Rows

SAMPLING = Sampling("dpmsolver++", 10)
ROWS = 5_000  # that are encoded
PAIRS = 64  # of images, whose units are swapped
MAX_UNITS = 32  # that are looked at; the ones that vary most
EXTREMES = 8  # images at either end of a unit
FAINT_BELOW = 0.02  # of the change by the strongest unit (without a decoder: of its spread); below it a unit is dead

NO_DECODER = "{} has no decoder, so nothing is known of what its units draw: the rows of a unit are real images; {}."


def measure_units(run: Run, dataset: Dataset, sampling: Sampling, seed: int) -> tuple[ReportFacts, ReportPictures]:
    """The facts of a report (but for the seconds that it took), and the pictures that go with them.

    Units (or groups; of a method with one group, its single units) are ranked by how far pixels move when the unit
    comes from another image: the mean absolute change, pixels in [0, 1], over 64 random pairs, all from the x_T of one
    seed. A unit is dead where that is below 2 % of the strongest unit's, and a copy where its rank correlation with a
    live one that moves more is 0.9 or larger. Both limits are ours. Without a decoder the standard deviation of the
    values takes the place of the change, and real images along the unit that of traversals. At most 32 units are looked
    at, those that vary most.

    Where factors are known, a unit follows the one of which it tells most: (I - I0) / (H - I0), I the mutual
    information in 20 bins, I0 that with shuffled factors (mean of 5), H the factor's entropy; its purity is the part of
    it among all factors. Factors with more classes than a tenth of the rows are left out. Labels change nothing else.

    Raises ValueError for fewer than two images, TypeError for a foundation.
    """
    rows = sample_rows(len(dataset), ROWS, seed)
    if len(rows) < 2:
        raise ValueError(f"{dataset.name} has {len(rows)} image: there is nothing that varies.")
    method = run.method()
    codes = code_table(run, dataset, rows, seed, "averaged")
    groups, omitted = select_units(method, codes, unit_names(run))
    measured = measure_values(codes, groups)
    shuffled = np.random.default_rng(seed).permutation(rows)
    values = value_facts(measured)
    factors = dataset.factors(rows)
    names = dataset.factor_names
    follows = [None] * len(groups) if factors is None else followed_factors(measured.values, factors, names)
    editor = RunEditor(method, dataset, sampling, seed) if isinstance(method, Generative) else None
    swapped = swapped_images(groups, omitted, PAIRS)
    rebuilt = 3 * REBUILT if editor is not None and editor.has_start() else REBUILT  # inverted is there and back
    total = swapped + rebuilt + len(groups) * STEPS * TRAVERSED
    with progress.task("looking at units", total, "images") as task:
        drawn = None if editor is None else _measure_drawings(editor, groups, omitted, shuffled, seed, task)
        spreads = [facts.spread for facts in values]
        strength = np.array(spreads if drawn is None else [effect.amount for effect in drawn.swaps.effects])
        order = np.argsort(-strength, kind="stable").tolist()
        states = unit_states(measured.values, order, strength >= np.maximum(FAINT_BELOW * strength.max(), 1e-12))
        live = [i for i in order if states[i].state == "live"]
        total = swapped + rebuilt + len(live) * STEPS * TRAVERSED
        task.update(swapped + rebuilt, "traversals", total)
        if editor is None:
            strips = {groups[i].word: _real_strips(measured.values, i, rows, dataset) for i in live}
        else:
            strips = traversal_strips(editor, measured, live, shuffled) if live else {}
    units, ends = [], {}
    for i in order:
        word, original = groups[i].word, states[i].copy_of
        extremes = None if states[i].state == "dead" else _extremes(measured.values[:, i], rows)
        if extremes is not None:
            ends[word] = ExtremeImages(dataset.images(extremes.lowest), dataset.images(extremes.highest))
        unit = UnitFacts(
            word=word,
            name=groups[i].name,
            size=len(groups[i].units) * measured.dim,
            values=values[i],
            follows=follows[i],
            swap=None if drawn is None else drawn.swaps.effects[i],
            state=states[i].state,
            copy_of=None if original is None else groups[original].word,
            lowest=None if extremes is None else _file_names(dataset, extremes.lowest),
            highest=None if extremes is None else _file_names(dataset, extremes.highest),
        )
        units.append(unit)
    pictures = replace(ReportPictures() if drawn is None else drawn.pictures, strips=strips, ends=ends)
    facts = ReportFacts(
        run=str(run.path),
        method=run.method_title(),
        data=_about_data(run, dataset),
        weights=run.digest(),
        images_seen=run.state()["seen"],
        settings=ReportSettings(len(rows), PAIRS, seed, sampling, COPIES_FROM, FAINT_BELOW),
        not_looked_at=len(omitted),
        reconstruction=None if drawn is None else drawn.reconstruction,
        swap_consistency=None if drawn is None else drawn.swaps.consistency,
        no_edits=None if drawn is not None else NO_DECODER.format(run.method_name, how_to_decode(run)),
        units=units,
        seconds=0.0,
    )
    return facts, pictures


class Drawings(NamedTuple):
    """What a decoder makes of the units."""

    swaps: SwapMeasures
    reconstruction: Reconstruction
    pictures: ReportPictures  # maps of the swaps, and reconstructions


def _measure_drawings(
    editor: RunEditor, groups: list[UnitGroup], omitted: list[int], rows: Rows, seed: int, task: Task
) -> Drawings:
    swaps = measure_swaps(editor, groups, omitted, random_pairs(rows, PAIRS, seed), task)
    task.update(swapped_images(groups, omitted, PAIRS), "reconstructions")
    reconstruction, rebuilt = measure_reconstruction(editor, rows)
    maps = {group.word: change for group, change in zip(groups, swaps.maps)}
    background = editor.dataset.images(rows[:1])[0]
    return Drawings(swaps, reconstruction, ReportPictures(maps=maps, background=background, rebuilt=rebuilt))


def _about_data(run: Run, dataset: Dataset) -> ReportData:
    trained_on = run.record().get("data", {}).get("digest")
    return ReportData(
        name=dataset.name,
        digest=dataset.digest(),
        images=len(dataset),
        shape=list(dataset.shape),
        trained_on=trained_on in (None, dataset.digest()),
        left_out=list(base_dataset(dataset).left_out),
    )


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


def _real_strips(values: Float[np.ndarray, "rows units"], unit: int, rows: Rows, dataset: Dataset) -> list[Strip]:
    """Real images along a unit, from its 2 % to its 98 % quantile, whose other units change as little as can be.

    Each strip has an image of its own, drawn from the quarter whose other units are nearest to their medians. A step
    is, of the twentieth of the rows that is nearest to the quantile, the one whose other units (each divided by its
    spread) are nearest to that image's. No row is in two strips at the same step.
    """
    others = np.delete(values, unit, axis=1)
    others = others / np.maximum(others.std(0), 1e-12)
    order = np.argsort(values[:, unit], kind="stable")
    count = min(TRAVERSED, len(order))
    window = min(len(order), max(8, len(order) // 20))
    first = np.round(np.linspace(0.02, 0.98, STEPS) * (len(order) - 1) - (window - 1) / 2)
    central = ((others - np.median(others, axis=0)) ** 2).sum(1).argsort(kind="stable")[: max(count, len(order) // 4)]
    bases = np.random.default_rng(0).permutation(central)[:count]
    steps = np.empty((count, STEPS), dtype=int)
    for column, start in enumerate(np.clip(first, 0, len(order) - window).astype(int)):
        near = order[start : start + window]
        for strip, base in enumerate(bases):
            distances = ((others[near] - others[base]) ** 2).sum(1)
            distances[np.isin(near, steps[:strip, column])] = np.inf
            steps[strip, column] = near[distances.argmin()]
    return [dataset.images(rows[strip]) for strip in steps]


def _file_names(dataset: Dataset, rows: Rows) -> list[str | int]:
    files: Mapping[int, str] | Sequence[str] = dataset.files
    return [files[row] if files else int(row) for row in rows]
