"""The verb that measures edits: how consistent a run's swaps are, and how precise where factors are known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.data.sampling import complete_grid, read_factors
from unweave.editing.inputs import SAMPLING
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_units
from unweave.evaluation import scores as report
from unweave.evaluation.metrics.edit_precision import Editor, Render, edit_precision, from_grid, summary
from unweave.evaluation.metrics.image_probe import fit_probe
from unweave.evaluation.metrics.swap_consistency import swap_consistency
from unweave.figures.matrix import plot_matrix
from unweave.figures.save import save_picture
from unweave.method import Sampling
from unweave.runs.codes import check_generative
from unweave.runs.data import dataset_for, describe_part
from unweave.runs.run import Run, Weights, best_device
from unweave.runs.unit_ranges import read_back
from unweave.runs.units import choices, named
from unweave.tensors import Images, to_images, to_pixels
from unweave.types import Pixels, Rows

PROBE, ROWS = 5_000, 2_000
"""Rows that the probe is trained on, and other rows that are edited."""


def evaluate_edits(
    run: Run | str | Path,
    *,
    split: str | None = None,
    seed: int = 0,
    weights: Weights | None = None,
    sampling: Sampling = SAMPLING,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """`swap-consistency@1`, and `edit-precision@1` where the data have factors; written to the run's edit_scores.json.

    Beside it a picture, pictures/edit-changes.png: which unit (or group) changes which factor.

    128 pairs for the consistency; 64 to assign units (or groups of them, where the method has those) and 256 to measure
    the precision, judged by a probe trained on 5,000 other rows (two thirds of a smaller set), all of them rows of the
    run's data or of a `split` of it (see `scoring.fitting`). All edits begin from the x_T of one seed, so they show
    what the units hold by themselves.
    `progress(what, done, total)` is called before each batch of edits. Raises TypeError for a method without a decoder.
    """
    opened = run if isinstance(run, Run) else Run(run)
    weights = weights or opened.scored()
    dataset = dataset_for(opened, None, split)
    generative = check_generative(opened.method(weights))
    order = np.random.default_rng(seed).permutation(len(dataset))
    probing, edited = np.split(order[: PROBE + ROWS], [min(PROBE, 2 * len(order) // 3)])
    chosen = choices(generative, to_images(dataset.images(edited[:1]), best_device()), None, named(opened))
    units = len(chosen)
    done = 0
    total = units + 1 if dataset.factors(edited[:1]) is None else 3 * (units + 1)

    def told(what: str) -> None:
        nonlocal done
        if progress:
            progress(what, done, total)
        done += 1

    def images(rows: Rows) -> Images:
        return to_images(dataset.images(rows), best_device())

    def edit(first: Rows, second: Rows, unit: int) -> Pixels:
        told(f"swapping {chosen[unit].name}")
        own = images(first)
        start = make_start(generative, own, sampling=sampling, seed=seed)
        return to_pixels(
            swap_units(generative, own, images(second), chosen[unit].units, sampling=sampling, start=start)
        )

    def unedited(rows: Rows) -> Pixels:
        told("reconstructing")
        own = images(rows)
        start = make_start(generative, own, sampling=sampling, seed=seed)
        return to_pixels(reconstruct_images(generative, own, sampling=sampling, start=start))

    editor = Editor(units, edit, unedited)
    consistent = swap_consistency(
        editor, lambda pixels: read_back(generative, pixels, chosen), edited, pairs=128, seed=seed
    )
    scores: dict[str, Any] = {"swap-consistency@1": consistent._asdict()}
    factors, classes = dataset.factors(probing), dataset.factors(edited)
    if factors is not None and classes is not None:
        probe = fit_probe(dataset.images(probing), factors, seed=seed)
        measured = edit_precision(editor, probe, edited, classes, render=_renderer(dataset), pairs=(64, 256), seed=seed)
        names = [dataset.factor_names[j] for j in measured.factors]
        picture = plot_matrix(
            np.array(measured.changes, np.float64),
            names,
            units=[choice.name for choice in chosen] if generative.groups() or named(opened) else None,
            title="Share of swaps that change each factor",
            high=1.0,
        )
        end = "" if split is None else f"-{split}"
        save_picture(picture, opened.pictures / f"edit-changes{end}.png", overwrite=True)
        scores["edit-precision@1"] = {
            "summary": summary(measured),
            "factor_names": names,
            **{name: _plain(value) for name, value in measured._asdict().items()},
        }
    used = {"consistency": 128, "assigned": 64, "measured": 256, "probe": len(probing), "edited": len(edited)}
    told_of = {"seed": seed, "weights": opened.digest(), "scored_weights": weights, "sampling": sampling._asdict()}
    found = {
        **told_of,
        "data": {
            "name": dataset.name,
            "digest": dataset.digest(),
            **describe_part(opened, dataset, edited, split, own=True),
        },
        "rows_used": used,
        "protocols": scores,
    }
    report.write(found, opened.path / ("edit_scores.json" if split is None else f"edit_scores-{split}.json"))
    return found


def table(scores: dict[str, Any], run: str) -> Table:
    """Edit scores of a run for people: the means, and a line for every factor."""
    consistency = scores["protocols"]["swap-consistency@1"]
    precision = scores["protocols"].get("edit-precision@1")
    result = Table(
        "what",
        "value",
        "beside it",
        title=f"Edits of {run} ({scores['scored_weights']} weights): one unit swapped in from another image",
        title_justify="left",
    )
    live = len(consistency["live"])
    result.add_row(
        "swap consistency", f"{consistency['consistency']:.3f}", f"{live} live units of {len(consistency['shares'])}"
    )
    if precision is not None:
        means = precision["summary"]
        for name, floor in (("precision", "random_unit_precision"), ("reach", "random_unit_reach")):
            said = [f"a random unit {means[floor]:.3f}", f"probe's accuracy {means['probe_accuracy']:.3f}"]
            if f"ceiling_{name}" in means:
                said.insert(0, f"true pictures {means[f'ceiling_{name}']:.3f}")
            value = means["edit_precision" if name == "precision" else name]
            result.add_row(f"edit {name}", f"{value:.3f}", ", ".join(said))
        result.add_section()
        for j, name in enumerate(precision["factor_names"]):
            value, reach = precision["assigned"]["precision"][j], precision["assigned"]["reach"][j]
            beside = (
                f"unit {precision['unit'][j]}; reach {reach:.3f}; probe's accuracy {precision['probe_accuracy'][j]:.3f}"
            )
            result.add_row(name, f"{value:.3f}", beside)
    return result


def _plain(value: Any) -> Any:
    return value._asdict() if hasattr(value, "_asdict") else value


def _renderer(dataset: Dataset) -> Render | None:
    """The pictures of changed factors: of the full set, where that is a complete grid of its factors; else None."""
    whole = views.base_dataset(dataset)
    try:
        dataset_grid = complete_grid(whole)
    except ValueError:
        return None

    def index(rows: Rows) -> Rows:
        return dataset_grid.grid.index(read_factors(dataset, rows))

    changed = from_grid(dataset_grid.grid, lambda at: whole.images(dataset_grid.rows(at)))
    return lambda first, second, factor: changed(index(first), index(second), factor)
