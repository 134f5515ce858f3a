"""The verb that measures edits: how consistent a run's swaps are, and how precise where factors are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unweave import progress
from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.data.sampling import complete_grid, read_factors
from unweave.editing.inputs import SAMPLING
from unweave.evaluation.metrics.edit_precision import (
    Editor,
    EditPrecision,
    Render,
    edit_precision,
    render_from_grid,
    summary,
)
from unweave.evaluation.metrics.image_probe import fit_probe
from unweave.evaluation.metrics.swap_consistency import SwapConsistency, swap_consistency
from unweave.evaluation.run_editor import RunEditor
from unweave.figures.matrix import plot_matrix
from unweave.figures.save import save_picture
from unweave.files import write_json
from unweave.method import Sampling
from unweave.progress import Task
from unweave.runs.codes import check_generative
from unweave.runs.data import dataset_for, describe_part
from unweave.runs.run import Run
from unweave.runs.unit_ranges import encode_packed
from unweave.runs.units import UnitGroup, select_groups, unit_names
from unweave.tensors import Images, to_pixels
from unweave.types import Pixels, Rows, Weights

PROBE_ROWS, EDITED_ROWS = 5_000, 2_000
"""Rows that the probe is trained on, and other rows that are edited."""

CONSISTENCY_PAIRS, ASSIGNING_PAIRS, MEASURING_PAIRS = 128, 64, 256


@dataclass(frozen=True)
class FactorPrecision:
    """The edit precision of a run, with the names of the factors that vary."""

    measured: EditPrecision
    factor_names: list[str]  # of `measured.factors`

    @property
    def summary(self) -> dict[str, float]:
        return summary(self.measured)

    def to_json(self) -> dict[str, Any]:
        numbers = self.measured._asdict()
        for name in ("assigned", "ceiling", "random_unit"):
            numbers[name] = None if numbers[name] is None else numbers[name]._asdict()
        return {"summary": self.summary, "factor_names": self.factor_names, **numbers}


@dataclass(frozen=True)
class EditScores:
    """How consistent and how precise the swaps of a run are, and on what that was measured."""

    seed: int
    weights: str  # digest of the run's raw weights
    scored_weights: Weights
    sampling: Sampling
    data: dict[str, Any]  # name and digest, and which part of it (see `runs.data.describe_part`)
    probe_rows: int
    edited_rows: int
    swap_consistency: SwapConsistency
    edit_precision: FactorPrecision | None  # None for data without factors

    def to_json(self) -> dict[str, Any]:
        """As edit_scores.json keeps it."""
        protocols: dict[str, Any] = {"swap-consistency@1": self.swap_consistency._asdict()}
        if self.edit_precision is not None:
            protocols["edit-precision@1"] = self.edit_precision.to_json()
        return {
            "seed": self.seed,
            "weights": self.weights,
            "scored_weights": self.scored_weights,
            "sampling": self.sampling._asdict(),
            "data": self.data,
            "rows_used": {
                "consistency": CONSISTENCY_PAIRS, "assigned": ASSIGNING_PAIRS, "measured": MEASURING_PAIRS,
                "probe": self.probe_rows, "edited": self.edited_rows,
            },
            "protocols": protocols,
        }  # fmt: skip


def evaluate_edits(
    run: Run | str | Path,
    *,
    split: str | None = None,
    seed: int = 0,
    weights: Weights | None = None,
    sampling: Sampling = SAMPLING,
) -> EditScores:
    """`swap-consistency@1`, and `edit-precision@1` where the data have factors; written to the run's edit_scores.json.

    Beside it a picture, pictures/edit-changes.png: which unit (or group) changes which factor.

    128 pairs for the consistency; 64 to assign units (or groups of them, where the method has those) and 256 to measure
    the precision, judged by a probe trained on 5,000 other rows (two thirds of a smaller set), all of them rows of the
    run's data or of a `split` of it (see `runs.data.dataset_for`). All edits begin from the x_T of one seed, so they
    show what the units hold by themselves. Raises TypeError for a method without a decoder.
    """
    run = run if isinstance(run, Run) else Run(run)
    weights = weights or run.scored_weights()
    run.check_data()
    dataset = dataset_for(run, None, split)
    method = check_generative(run.method(weights), run)
    order = np.random.default_rng(seed).permutation(len(dataset))
    probe_rows, edited_rows = np.split(order[: PROBE_ROWS + EDITED_ROWS], [min(PROBE_ROWS, 2 * len(order) // 3)])
    run_editor = RunEditor(method, dataset, sampling, seed)
    units = select_groups(method, run_editor.images(edited_rows[:1]), None, unit_names(run))
    factors, classes = dataset.factors(probe_rows), dataset.factors(edited_rows)
    pairs = (ASSIGNING_PAIRS, MEASURING_PAIRS)
    probe = None if factors is None else fit_probe(dataset.images(probe_rows), factors, seed=seed)
    images = (len(units) + 1) * (CONSISTENCY_PAIRS + (0 if probe is None else sum(pairs)))
    precision = None
    with progress.task("measuring swaps", images, "images") as task:
        editor = _editor(run_editor, units, task)
        consistency = swap_consistency(
            editor, lambda pixels: encode_packed(method, pixels, units), edited_rows, pairs=CONSISTENCY_PAIRS, seed=seed
        )
        if probe is not None and classes is not None:
            measured = edit_precision(
                editor, probe, edited_rows, classes, render=_renderer(dataset), pairs=pairs, seed=seed
            )
            precision = FactorPrecision(measured, [dataset.factor_names[j] for j in measured.factors])
    if precision is not None:
        picture = plot_matrix(
            np.array(precision.measured.changes, np.float64),
            precision.factor_names,
            units=[unit.name for unit in units] if method.groups() or unit_names(run) else None,
            title="Share of swaps that change each factor",
            high=1.0,
        )
        suffix = "" if split is None else f"-{split}"
        save_picture(picture, run.pictures / f"edit-changes{suffix}.png", overwrite=True)
    scores = EditScores(
        seed=seed,
        weights=run.digest(),
        scored_weights=weights,
        sampling=sampling,
        data={
            "name": dataset.name,
            "digest": dataset.digest(),
            **describe_part(run, dataset, edited_rows, split, own=True),
        },
        probe_rows=len(probe_rows),
        edited_rows=len(edited_rows),
        swap_consistency=consistency,
        edit_precision=precision,
    )
    write_json(run.path / ("edit_scores.json" if split is None else f"edit_scores-{split}.json"), scores.to_json())
    return scores


def _editor(run_editor: RunEditor, units: Sequence[UnitGroup], task: Task) -> Editor:
    """The run as the metrics see it; every image that it draws is counted in the task."""
    drawn = 0

    def edit(rows: Rows, partners: Rows, unit: int) -> Pixels:
        task.update(drawn, f"swapping {units[unit].name}")
        return counted(run_editor.swap(rows, partners, units[unit].units))

    def reconstruct(rows: Rows) -> Pixels:
        task.update(drawn, "reconstructing")
        return counted(run_editor.reconstruct(rows))

    def counted(images: Images) -> Pixels:
        nonlocal drawn
        drawn += len(images)
        return to_pixels(images)

    return Editor(len(units), edit, reconstruct)


def _renderer(dataset: Dataset) -> Render | None:
    """The pictures of changed factors: of the full set, where that is a complete grid of its factors; else None."""
    whole = views.base_dataset(dataset)
    try:
        dataset_grid = complete_grid(whole)
    except ValueError:
        return None

    def index(rows: Rows) -> Rows:
        return dataset_grid.grid.index(read_factors(dataset, rows))

    render = render_from_grid(dataset_grid.grid, lambda indices: whole.images(dataset_grid.rows(indices)))
    return lambda first, second, factor: render(index(first), index(second), factor)
