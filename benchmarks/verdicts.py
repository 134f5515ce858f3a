"""Verdicts on factors against the truth, and the limits that they need.

    python benchmarks/verdicts.py collect --out verdicts.jsonl rooms=builtin:rooms rooms=runs/a sprites=runs/b
    python benchmarks/verdicts.py collect --out verdicts.jsonl --cut 0.75 avatars=runs/c
    python benchmarks/verdicts.py calibrate --out verdicts.jsonl

collect: a line for each run, whose set is named before it. Units are grouped without labels by average linkage on 1 -
    mutual information (16 quantile bins) / log 16, cut at 0.9 unless another cut is given; a group is one thing where
    its DCI disentanglement (importances summed over the group) is 0.8 or more, several things mixed at 0.5 or less, not
    scored between; left over where its effect is at most 2 % of the strongest. A run that is there is not drawn again.
calibrate: the limits of all sets but one, chosen by balanced accuracy, judge that one; a table by set. Trains nothing.
"""

import argparse
import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import average, fcluster
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from unweave.data.sampling import sample_rows
from unweave.evaluation.factor_swaps import swap_evidence
from unweave.evaluation.metrics.dci import disentanglement, predict_factors
from unweave.evaluation.metrics.information import discretise, mutual_information
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.factors.coordinate import fit_coordinate
from unweave.factors.factor import FAINT_BELOW, Factor, Verdict
from unweave.factors.verdict import Limits, SwapEvidence, judge
from unweave.runs.codes import check_generative, encode_rows
from unweave.runs.run import Run

BINS, ROWS, TRAINING = 16, 5_000, 3_000
LEAVE, OWN_ERROR, IMPOSSIBLE = (0.56, 0.6, 0.65), (0.05, 0.08, 0.11, 0.15, 0.2), (0.015, 0.02, 0.025, 0.03, 0.05, 0.1)
GRID = [Limits(*limits) for limits in product(LEAVE, OWN_ERROR, IMPOSSIBLE)]
KINDS: tuple[Verdict, ...] = ("one thing", "several things mixed", "leftover")


def groups(codes: np.ndarray, cut: float) -> list[list[int]]:
    """Units that are dependent, by average linkage."""
    binned = discretise(rankdata(codes, axis=0), bins=BINS)
    shuffled = np.random.default_rng(0).permuted(binned, axis=0)
    shared = (mutual_information(binned, binned) - mutual_information(shuffled, binned)) / np.log(BINS)
    away = np.clip(1 - (shared + shared.T) / 2, 0, 1)
    np.fill_diagonal(away, 0)
    label = fcluster(average(squareform(away, checks=False)), cut, "distance")
    return [np.flatnonzero(label == number).tolist() for number in np.unique(label)]


def collect(name: str, path: str, cut: float) -> dict[str, Any]:
    run = Run(path)
    method, dataset = check_generative(run.method(), run), run.dataset()
    rows = np.random.default_rng(0).permutation(sample_rows(len(dataset), ROWS, 0))
    codes, classes = encode_rows(method, dataset, rows), dataset.factors(rows)
    assert classes is not None
    flat = codes[:, :, 0]
    tables = [Tables(flat[part], classes[part]) for part in (slice(TRAINING), slice(TRAINING, 4_000))]
    importance = predict_factors(*tables, n_jobs=1).importance
    factors = [Factor(tuple(units), 0.0, fit_coordinate(flat[:, units])) for units in groups(flat, cut)]
    described = []
    for factor, evidence in zip(factors, swap_evidence(method, codes, factors)):
        told = importance[list(factor.units)].sum(0)
        described.append(
            {
                "units": factor.units,
                "disentanglement": disentanglement(told[None]),
                "importance": float(told.sum() / importance.sum()),
                "follows": dataset.factor_names[int(told.argmax())],
                "evidence": asdict(evidence),
            }
        )
    return {"set": name, "run": Path(path).name, "cut": cut, "D": disentanglement(importance), "factors": described}


def truth(factors: list[dict[str, Any]]) -> list[Verdict | None]:
    """What each factor is; None where that is not scored."""
    strongest = max(one["evidence"]["effect"] for one in factors)
    return [
        "leftover"
        if one["evidence"]["effect"] <= FAINT_BELOW * strongest
        else "one thing"
        if one["disentanglement"] >= 0.8
        else "several things mixed"
        if one["disentanglement"] <= 0.5
        else None
        for one in factors
    ]


def recalls(records: list[dict[str, Any]], limits: Limits) -> dict[Verdict, tuple[int, int]]:
    """Of each kind how many factors are judged right, and how many there are."""
    counts = dict.fromkeys(KINDS, (0, 0))
    for factors in (record["factors"] for record in records):
        judged = judge([SwapEvidence(**one["evidence"]) for one in factors], limits)
        for true, verdict in zip(truth(factors), judged):
            if true is not None:
                right, total = counts[true]
                counts[true] = right + (verdict == true), total + 1
    return counts


def balanced(counts: dict[Verdict, tuple[int, int]]) -> float:
    """Mean recall over the kinds that there are."""
    return float(np.mean([right / total for right, total in counts.values() if total]))


def best_limits(records: list[dict[str, Any]]) -> Limits:
    """The limits with the best balanced accuracy over sets; of equal ones those in the middle of them."""
    accuracy = [balanced(recalls(records, limits)) for limits in GRID]
    best = [limits for limits, value in zip(GRID, accuracy) if value >= max(accuracy) - 1e-9]
    return best[len(best) // 2]


def calibrate(records: list[dict[str, Any]]) -> None:
    total = dict.fromkeys(KINDS, (0, 0))
    print("| set | one thing | mixed | left over | balanced accuracy | limits from the others |")
    print("|---|--:|--:|--:|--:|---|")
    for name in sorted({record["set"] for record in records}):
        limits = best_limits([record for record in records if record["set"] != name])
        counts = recalls([record for record in records if record["set"] == name], limits)
        total = {kind: (total[kind][0] + right, total[kind][1] + of) for kind, (right, of) in counts.items()}
        chosen = f"{limits.leave}, {limits.own_error}, {limits.impossible}"
        print(f"| {name} | {_cells(counts)} | {balanced(counts):.2f} | {chosen} |")
    clear_or_mixed = balanced({kind: total[kind] for kind in KINDS[:2]})
    print(f"| all | {_cells(total)} | {balanced(total):.2f}; without left over {clear_or_mixed:.2f} | |")
    everywhere = balanced(recalls(records, Limits()))
    print(f"\nFrom all sets: {best_limits(records)}. {Limits()} has {everywhere:.2f} on all sets.")


def _cells(counts: dict[Verdict, tuple[int, int]]) -> str:
    return " | ".join(f"{right} of {of}" for right, of in counts.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["collect", "calibrate"])
    parser.add_argument("runs", nargs="*", metavar="SET=RUN")
    parser.add_argument("--out", type=Path, default=Path("verdicts.jsonl"))
    parser.add_argument("--cut", type=float, default=0.9, help="of the linkage, in (0, 1)")
    options = parser.parse_intermixed_args()
    records = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    if options.what == "calibrate":
        calibrate(records)
        return
    for name, path in (word.split("=", 1) for word in options.runs):
        if not any((record["set"], record["run"]) == (name, Path(path).name) for record in records):
            records.append(collect(name, path, options.cut))
            with options.out.open("a") as file:
                file.write(json.dumps(records[-1]) + "\n")


if __name__ == "__main__":
    main()
