"""Seconds that one repeat of each protocol takes, as JSON: a table of 50,000 rows, 20 units, the factor sizes of rooms.

    OMP_NUM_THREADS=1 python benchmarks/metric_speed.py [PROTOCOL ...]

The codes are six noisy factors, six noisy copies and eight units of noise. Compiling is done before the clock starts.
DCI is also timed with one process.
"""

import json
import os
import sys
import time

import joblib
import numpy as np

from unweave.evaluation.report import DEFAULT, PROTOCOLS

SIZES = (10, 10, 10, 8, 4, 15)


def tables(rows: int = 50_000, units: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, SIZES, (rows, len(SIZES)))
    clean = factors / np.array(SIZES) + 0.05 * rng.normal(size=factors.shape)
    copies = clean**2 + 0.1 * rng.normal(size=factors.shape)
    noise = rng.normal(size=(rows, units - 2 * len(SIZES)))
    return np.concatenate([clean, copies, noise], axis=1).astype(np.float32), factors


def seconds(protocol: str) -> float:
    units, factors = tables()
    began = time.perf_counter()
    PROTOCOLS[protocol].run(units, factors, 0)
    return round(time.perf_counter() - began, 2)


def main() -> None:
    names = sys.argv[1:] or DEFAULT
    result: dict[str, float] = {}
    for name in names:
        if name.startswith("dci"):
            result[f"{name}, {joblib.cpu_count()} processes"] = seconds(name)
            os.environ["LOKY_MAX_CPU_COUNT"] = "1"
            result[f"{name}, 1 process"] = seconds(name)
            del os.environ["LOKY_MAX_CPU_COUNT"]
        else:
            small = tables(rows=64)
            PROTOCOLS[name].run(*small, 0)
            result[name] = seconds(name)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
