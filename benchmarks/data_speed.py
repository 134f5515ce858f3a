"""Images per second that each procedural data set composes on one core, as JSON.

OMP_NUM_THREADS=1 python benchmarks/data_speed.py
"""

import json
import time

import numpy as np

from unweave.data.open import open_data

TABLES = [{"name": "rooms"}, {"name": "rooms", "size": 32}, {"name": "sprites"}, {"name": "sprites", "size": 64}]
BATCH, SECONDS = 256, 1.0


def main() -> None:
    results = []
    for table in TABLES:
        start = time.perf_counter()
        dataset = open_data(table)
        built = time.perf_counter() - start
        rng = np.random.default_rng(0)
        dataset.images(rng.integers(0, len(dataset), BATCH))  # compiles
        count, start = 0, time.process_time()
        while time.process_time() - start < SECONDS:
            dataset.images(rng.integers(0, len(dataset), BATCH))
            count += BATCH
        speed = count / (time.process_time() - start)
        results.append({**table, "images_per_second_and_core": round(speed), "build_seconds": round(built, 2)})
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
