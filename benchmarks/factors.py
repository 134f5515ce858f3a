"""Factors that are found without labels: DCI of factors and of units, and what swaps of whole factors change.

    python benchmarks/factors.py builtin:rooms RUN ... --edits builtin:rooms

A line of JSON a run goes to stdout and to OUT/factors.jsonl: the groups and how stable they are, `dci-factors@1` (one
repeat), and for the runs of --edits the edit precision and reach of each factor of the data, by swaps of the factor of
the run that changes it most and by swaps of the single unit that does (64 pairs to choose it, 256 others to measure, a
probe of 5,000 images). The limits of the grouping were set on `builtin:rooms`; other runs test them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from unweave.data import views
from unweave.data.sampling import sample_rows
from unweave.evaluation.edits import ASSIGNING_PAIRS, EDITED_ROWS, MEASURING_PAIRS, PROBE_ROWS
from unweave.evaluation.find_factors import SAMPLING, find_factors
from unweave.evaluation.metrics.edit_precision import Editor, edit_precision
from unweave.evaluation.metrics.image_probe import fit_probe
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.scores import Scores, evaluate_tables
from unweave.factors.factor import Factor
from unweave.runs import reduction
from unweave.runs.codes import code_table
from unweave.runs.run import Run
from unweave.tensors import to_pixels

ROWS = 20_000  # that are scored


def factor_facts(factors: list[Factor]) -> list[dict[str, Any]]:
    """What is said of each: units, effect, coordinate, states."""
    kinds = {None: "none", True: "closed", False: "open"}
    return [
        {
            "units": list(factor.units),
            "effect": round(factor.effect, 4),
            "coordinate": kinds[None if factor.coordinate is None else factor.coordinate.closed],
            "error": None if factor.coordinate is None else round(factor.coordinate.error, 3),
            "states": len(factor.states),
        }
        for factor in factors
    ]


def edits_of(run: Run, groups: list[list[int]], seed: int) -> dict[str, dict[str, float]]:
    """Edit precision and reach by factor of the data, of swaps of these groups."""
    dataset = run.dataset()
    order = np.random.default_rng(seed).permutation(len(dataset))
    probe_rows, edited_rows = order[:PROBE_ROWS], order[PROBE_ROWS : PROBE_ROWS + EDITED_ROWS]
    probe_factors, factors = dataset.factors(probe_rows), dataset.factors(edited_rows)
    if probe_factors is None or factors is None:
        raise ValueError(f"{dataset.name} has no known factors.")
    run_editor = RunEditor(run.method(), dataset, SAMPLING, seed)
    editor = Editor(
        len(groups),
        lambda rows, partners, group: to_pixels(run_editor.swap(rows, partners, groups[group])),
        lambda rows: to_pixels(run_editor.reconstruct(rows)),
    )
    probe = fit_probe(dataset.images(probe_rows), probe_factors, seed=seed)
    pairs = (ASSIGNING_PAIRS, MEASURING_PAIRS)
    measured = edit_precision(editor, probe, edited_rows, factors, pairs=pairs, seed=seed)
    return {
        views.base_dataset(dataset).factor_names[column]: {
            "group": measured.unit[i],
            "precision": round(measured.assigned.precision[i], 3),
            "reach": round(measured.assigned.reach[i], 3),
            "probe": round(measured.probe_accuracy[i], 3),
        }
        for i, column in enumerate(measured.factors)
    }


def scores_of(run: Run, groups: list[list[int]], seed: int) -> Scores:
    """`dci-factors@1` of groups that are found already."""
    dataset = run.dataset()
    rows = sample_rows(len(dataset), ROWS, seed)
    table = code_table(run, dataset, rows, seed, run.scored_weights())
    units = reduction.apply(reduction.fit(table), table)
    return evaluate_tables(units, dataset.factors(rows), protocols=["dci-factors@1"], repeats=1, groups=groups)


def record(path: str, seed: int, edits: bool) -> dict[str, Any]:
    """Everything that is measured of a run."""
    run = Run(path)
    factors = find_factors(run, run.dataset(), SAMPLING, seed)
    groups = [list(factor.units) for factor in factors]
    scores = scores_of(run, groups, seed)
    values = {name: round(score["value"], 3) for name, score in scores["protocols"]["dci-factors@1"].items()}
    facts: dict[str, Any] = {"run": Path(path).name, "factors": factor_facts(factors), "dci": values}
    if edits:
        facts["edits_of_factors"] = edits_of(run, groups, seed)
        facts["edits_of_units"] = edits_of(run, [[unit] for group in groups for unit in group], seed)
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--edits", nargs="*", default=[], help="of these runs swaps are measured, too (minutes)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in options.runs:
        line = json.dumps(record(path, options.seed, path in options.edits))
        print(line, flush=True)
        with (options.out / "factors.jsonl").open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
