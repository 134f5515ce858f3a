"""Seconds of every metric, beside scikit-learn's for the parts that replace something of it, in one run; as JSON.

    python benchmarks/metrics.py                      two factors by scikit-learn's boosting: minutes
    python benchmarks/metrics.py --opponents all      all six: many minutes

The table has the factor sizes of 3D Shapes (57 classes), 10,000 rows and 20 units: six noisy factors, six noisy copies
and eight units of noise. `wide` has 1,000 units: the same and noise. Compiling is done before the clock starts. Both
sides have the same cores: scikit-learn fits factors in processes of one thread, as many as ours has threads (--cores).
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from unweave.evaluation.metrics.average_precision import average_precision
from unweave.evaluation.metrics.boosting import fit_boosted_trees
from unweave.evaluation.metrics.dci import predict_factors
from unweave.evaluation.metrics.information import discretise, mutual_information
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.evaluation.metrics.tad import exact_auroc
from unweave.evaluation.protocols import DEFAULT, PROTOCOLS, Evidence

SIZES = (10, 10, 10, 8, 4, 15)


def tables(rows: int = 10_000, units: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, SIZES, (rows, len(SIZES)))
    clean = factors / np.array(SIZES) + 0.05 * rng.normal(size=factors.shape)
    copies = clean**2 + 0.1 * rng.normal(size=factors.shape)
    noise = rng.normal(size=(rows, units - 2 * len(SIZES)))
    return np.concatenate([clean, copies, noise], axis=1).astype(np.float32), factors


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return round(time.perf_counter() - started, 3)


def boosting(opponents: str, cores: int) -> dict[str, Any]:
    """Fit and predict, the same rows and cores on both sides."""
    units, factors = tables(15_000)
    train, test = units[:10_000], units[10_000:]
    columns = list(range(len(SIZES))) if opponents == "all" else [0, 1]  # of one size: two processes end together
    fit_boosted_trees(train[:50], factors[:50, 4] % 2, test[:5])
    fit_boosted_trees(train[:50], factors[:50, 4], test[:5])

    def theirs(j: int) -> None:
        GradientBoostingClassifier(random_state=0).fit(train, factors[:10_000, j]).predict(test)

    def all_of_theirs() -> None:
        with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
            largest_first = sorted(columns, key=lambda j: -SIZES[j])
            joblib.Parallel(n_jobs=cores)(joblib.delayed(theirs)(j) for j in largest_first)

    def all_of_ours() -> None:
        predict_factors(Tables(train, factors[:10_000, columns]), Tables(test, factors[10_000:, columns]), n_jobs=cores)

    ours = timed(all_of_ours)
    reference = timed(all_of_theirs)
    return {
        "factors of size": [SIZES[j] for j in columns],
        "ours": ours,
        "scikit-learn": reference,
        "ratio": round(reference / ours, 1),
    }


def smaller_parts() -> dict[str, Any]:
    """Smaller things that are ours where scikit-learn has one: seconds, and their ratio."""
    units, factors = tables()
    binned = discretise(units)
    labels = (factors > 1).astype(int)
    wide, many = tables(units=200)[0], (tables()[1] > 2).astype(int)
    half = len(wide) // 2
    mutual_information(binned[:50], factors[:50])

    def theirs() -> None:
        z = StandardScaler().fit_transform(wide[:half])
        for attribute in many[:half].T:
            LogisticRegression(max_iter=1000).fit(z, attribute)

    pairs = {
        "mutual information": (
            lambda: mutual_information(binned, factors),
            lambda: [[mutual_info_score(u, f) for u in binned.T] for f in factors.T],
        ),
        "ROC areas": (
            lambda: exact_auroc(units, labels),
            lambda: [[roc_auc_score(a, u) for u in units.T] for a in labels.T],
        ),
        "linear probes, 200 units": (
            lambda: average_precision(Tables(wide[:half], many[:half]), Tables(wide[half:], many[half:])),
            theirs,
        ),
    }
    result = {}
    for name, calls in pairs.items():
        ours, reference = (timed(call) for call in calls)
        result[name] = {"ours": ours, "scikit-learn": reference, "ratio": round(reference / ours, 1)}
    return result


def protocols() -> dict[str, Any]:
    units, factors = tables(15_000)
    warm = tables(200)
    seconds: dict[str, Any] = {}
    for name in DEFAULT:
        PROTOCOLS[name].run(Evidence(*warm, warm[0]), 0)
        seconds[name] = timed(lambda name=name: PROTOCOLS[name].run(Evidence(units, factors, units), 0))
    seconds["all"] = round(sum(seconds.values()), 2)
    return seconds


def wide() -> dict[str, Any]:
    units, factors = tables(20_000, units=1_000)
    attributes = (factors > 1).astype(int)
    seconds: dict[str, Any] = {}
    mutual_information(discretise(units[:50, :20]), factors[:50])  # compiles
    for name in ("mig@1", "med@1", "probe-ap@1"):
        table = attributes if name.startswith("probe") else factors
        seconds[name] = timed(lambda name=name, table=table: PROTOCOLS[name].run(Evidence(units, table, units), 0))
    seconds["all"] = round(sum(seconds.values()), 2)
    kilobytes = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds["peak memory of the process, and of its largest worker, in GiB"] = round(kilobytes / 2**20, 2)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opponents", choices=["some", "all"], default="some")
    parser.add_argument("--cores", type=int, default=joblib.cpu_count())
    options = parser.parse_args()
    os.environ["LOKY_MAX_CPU_COUNT"] = str(options.cores)
    report = {
        "cores": options.cores,
        "wide, seconds": wide(),
        "protocols, seconds": protocols(),
        "parts": smaller_parts(),
        "boosting": boosting(options.opponents, options.cores),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
