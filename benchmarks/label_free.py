"""Two scores that need no labels, against one that does: the decoder's Jacobian, ModelCentrality, and DCI.

    python benchmarks/label_free.py sprites=runs/a sprites=runs/b rooms=builtin:rooms ... > label_free.json

Trains nothing. The set of each run is named before it; runs of one set must be of one image size, and those that
differ in the number behind the last - of their name alone are seeds of one recipe. DCI is `dci-2k@1` of 3,000 rows,
one repeat. On stderr a line for each run; on stdout the record, with rank correlations (Spearman) of orthogonality, of
what it has above its null, of centrality and of the number of live units with DCI disentanglement, over the runs of a
set and over the medians of its recipes, where there are four or more.
"""

import argparse
import json
import sys
from collections import defaultdict
from typing import Any

import numpy as np
from running import commit
from scipy.stats import spearmanr

import unweave
from unweave.data.sampling import sample_rows
from unweave.evaluation.centrality import model_centrality
from unweave.evaluation.jacobian import evaluate_jacobian
from unweave.evaluation.scores import evaluate_tables
from unweave.runs import reduction
from unweave.runs.codes import encode_rows
from unweave.runs.run import Run

SCORES = ("orthogonality", "excess", "centrality", "live")


def measure(name: str, run: Run) -> dict[str, Any]:
    """The Jacobian and DCI of a run; `excess` is orthogonality less that of turned codes."""
    jacobian, dataset = evaluate_jacobian(run), run.dataset()
    rows = sample_rows(len(dataset), 3_000, 0)
    factors = dataset.factors(rows)
    assert factors is not None
    codes = encode_rows(run.method(run.scored_weights()), dataset, rows)
    units = reduction.apply(reduction.fit(codes), codes)
    dci = evaluate_tables(units, factors, protocols=["dci-2k@1"], repeats=1)["protocols"]["dci-2k@1"]
    measured = {
        "set": name, "run": run.path.name, "recipe": run.path.name.rsplit("-", 1)[0],
        "orthogonality": jacobian.orthogonality, "turned": jacobian.turned, "live": len(jacobian.live),
        "excess": None if jacobian.orthogonality is None else jacobian.orthogonality - jacobian.turned,
        "disentanglement": dci["disentanglement"]["value"], "informativeness": dci["informativeness"]["value"],
    }  # fmt: skip
    print(json.dumps(measured), file=sys.stderr, flush=True)
    return measured


def correlations(measured: list[dict[str, Any]]) -> dict[str, float]:
    """How each score ranks these as DCI disentanglement does."""
    ranked = {}
    for score in SCORES:
        pairs = [(one[score], one["disentanglement"]) for one in measured if one.get(score) is not None]
        if len(pairs) > 3 and (np.ptp(pairs, axis=0) > 0).all():
            ranked[score] = round(float(spearmanr(*zip(*pairs)).statistic), 3)
    return ranked


def medians(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of each recipe."""
    recipes = defaultdict(list)
    for one in measured:
        recipes[one["recipe"]].append(one)
    keys = (*SCORES, "disentanglement")
    return [
        {
            key: float(np.median(values))
            for key in keys
            if (values := [one[key] for one in of if one.get(key) is not None])
        }
        for of in recipes.values()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="SET=RUN")
    sets = defaultdict(list)
    for word in parser.parse_args().runs:
        name, path = word.split("=", 1)
        sets[name].append(unweave.load(path))
    record: dict[str, Any] = {"commit": commit(), "runs": [], "correlations": {}}
    for name, runs in sets.items():
        measured = [measure(name, run) for run in runs]
        if len(runs) > 2:
            for one, value in zip(measured, model_centrality(runs).tolist()):
                one["centrality"] = value
        record["runs"] += measured
        record["correlations"][name] = {"runs": correlations(measured), "recipes": correlations(medians(measured))}
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
