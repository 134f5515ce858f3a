"""What `unweave report` says of the factors of a run, against the labels of its data, which the report never sees.

    unweave train encdiff data=FOLDER -o RUN training.seed=0
    unweave report RUN
    python benchmarks/factor_bars.py RUN ...

Each factor has its DCI disentanglement, the importances of `dci@1`'s classifiers (10,000 rows to train on, 5,000 to
test) summed over its units: it is one thing from 0.8 on, several things mixed up to 0.5, and not scored between; left
over where its effect is at most 2 % of the strongest. A line of JSON a run goes to stdout and to OUT/factor_bars.jsonl:
how many factors are clear and how many DCI finds, the share of verdicts that are right, and for each factor its
verdict, what was measured to follow it, and the factor of the data that it tells most of.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from unweave.data.sampling import sample_rows
from unweave.evaluation.metrics.dci import disentanglement, predict_factors
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.factors.factor import FAINT_BELOW
from unweave.runs import reduction
from unweave.runs.codes import code_table
from unweave.runs.factors import require_factors
from unweave.runs.run import Run

TRAINING, TESTING = 10_000, 5_000


def importance_of(run: Run, seed: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """How much each unit tells of each factor of the data, units first, and the names of these factors."""
    dataset = run.dataset()
    rows = np.random.default_rng(seed).permutation(sample_rows(len(dataset), TRAINING + TESTING, seed))
    rising = np.sort(rows)
    codes, classes = code_table(run, dataset, rising, seed, run.scored_weights()), dataset.factors(rising)
    if classes is None:
        raise ValueError(f"{dataset.name} has no known factors.")
    units, order = reduction.apply(reduction.fit(codes), codes), np.searchsorted(rising, rows)
    training = len(rows) * TRAINING // (TRAINING + TESTING)
    tables = [Tables(units[part], classes[part]) for part in (order[:training], order[training:])]
    return predict_factors(*tables, n_jobs=1).importance, dataset.factor_names


def truth(alone: float, effect: float, strongest: float) -> str | None:
    """What a factor is; None where that is not scored."""
    if effect <= FAINT_BELOW * strongest:
        return "leftover"
    return "one thing" if alone >= 0.8 else "several things mixed" if alone <= 0.5 else None


def record(path: str, seed: int) -> dict[str, Any]:
    """The bars of one run."""
    run = Run(path)
    factors = require_factors(run).factors
    importance, names = importance_of(run, seed)
    strongest = max(factor.effect for factor in factors)
    described = []
    for factor in factors:
        told = importance[list(factor.units)].sum(0)
        alone = disentanglement(told[None])
        described.append(
            {
                "units": list(factor.units),
                "tells": names[int(told.argmax())],
                "disentanglement": round(float(alone), 3),
                "truth": truth(alone, factor.effect, strongest),
                "verdict": factor.verdict,
                "measured": factor.measured,
                "agreement": None if factor.agreement is None else round(factor.agreement, 2),
                "closed": None if factor.coordinate is None else factor.coordinate.closed,
                "states": len(factor.states),
            }
        )
    scored = [each for each in described if each["truth"] is not None]
    return {
        "run": Path(path).name,
        "clear": sum(each["verdict"] == "one thing" for each in described),
        "clear by DCI": sum(each["truth"] == "one thing" for each in described),
        "right": round(float(np.mean([each["verdict"] == each["truth"] for each in scored])), 3),
        "factors": described,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for path in options.runs:
        line = json.dumps(record(path, options.seed))
        print(line, flush=True)
        with (options.out / "factor_bars.jsonl").open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
