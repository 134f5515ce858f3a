"""DisDiff on pictures whose factors add, and on a thing whose place and colour do not: its demonstration and beyond.

    python benchmarks/disdiff_regions.py --pictures lanes --seeds 10 11 12 13 14
    python benchmarks/disdiff_regions.py --seeds 10 11 12 14
    python benchmarks/disdiff_regions.py --pictures things --seeds 10 11 12

A line of JSON for each training; then for each arm the medians over seeds, and the DCI disentanglement above that of
weight 0 on the same frozen model. With --out the lines are also appended to a file; what is in it is not trained again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unweave.demos import _regions as regions
from unweave.demos import disdiff

OURS, WITHOUT = disdiff.OURS, "weight 0"
ARMS: dict[str, dict[str, Any]] = {
    disdiff.ONE_FIELD: disdiff.ARMS[disdiff.ONE_FIELD],
    WITHOUT: {**OURS, "weight": 0.0},
    "the release's terms": disdiff.ARMS[disdiff.METHOD],
    "ours": OURS,
    "as released": {"units": 3, "dim": 2},
    "without purify": {**OURS, "purify": 0.0},
    "raw distances": {**OURS, "distances": "raw"},
    "bounded weight": {**OURS, "weight_by": "bounded"},
    "field of the score": {**OURS, "field": "score"},
    "invariance alone": {**OURS, "variance": False},
    "variance alone": {**OURS, "invariance": False},
}
COMPARED = [disdiff.ONE_FIELD, WITHOUT, "the release's terms", "ours"]
PICTURES = {"regions": regions.regions, "hues": regions.hues, "things": regions.things, "lanes": regions.lanes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", choices=PICTURES, default="regions")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=COMPARED)
    parser.add_argument("--images", type=int, default=disdiff.IMAGES)
    parser.add_argument("--out", type=Path)
    parser.add_argument("words", nargs="*", help="settings to change in every arm, such as units=4")
    options = parser.parse_args()
    torch.set_num_threads(1)
    changes = {key: json.loads(value) for key, value in (word.split("=") for word in options.words)}
    known = options.out.read_text().splitlines() if options.out and options.out.exists() else []
    records = [json.loads(line) for line in known]
    pictures = PICTURES[options.pictures]()
    for seed in options.seeds:
        denoiser = None
        for arm in [*options.arms, "PCA + ICA"]:
            key = {"pictures": options.pictures, "arm": arm, "seed": seed, "images": options.images, **changes}
            if any(key.items() <= record.items() for record in records):
                continue
            began = time.perf_counter()
            if arm == "PCA + ICA":
                facts = regions.components(pictures, seed)
            else:
                denoiser = denoiser or regions.train_denoiser(pictures, seed, disdiff.DENOISER_IMAGES)
                began = time.perf_counter()
                table = {**ARMS[arm], **changes}
                fields = regions.JointField if arm == disdiff.ONE_FIELD else regions.DenseFields
                method = regions.train_disdiff(pictures, denoiser, table, seed, options.images, fields)
                facts = regions.measure(method, pictures, seed)
            seconds = round(time.perf_counter() - began, 1)
            records.append({**key, **{name: round(value, 4) for name, value in facts.items()}, "seconds": seconds})
            print(json.dumps(records[-1]), flush=True)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(records[-1]) + "\n")
    chosen = [r for r in records if r["pictures"] == options.pictures and r["seed"] in options.seeds]
    report({arm: [r for r in chosen if r["arm"] == arm] for arm in [*options.arms, "PCA + ICA"]})


def report(arms: dict[str, list[dict[str, Any]]]) -> None:
    """Medians over seeds, the worst disentanglement, and what each seed has above weight 0."""
    key = "DCI disentanglement"
    control = {record["seed"]: record[key] for record in arms.get(WITHOUT, [])}
    for arm, records in arms.items():
        names = [name for name, value in records[0].items() if isinstance(value, float)]
        medians = {name: round(float(np.median([record[name] for record in records])), 3) for name in names}
        gains = [round(record[key] - control[record["seed"]], 3) for record in records if record["seed"] in control]
        worst = min(record[key] for record in records)
        print(json.dumps({"arm": arm, "median": medians, "worst": worst, "above weight 0": gains}))


if __name__ == "__main__":
    main()
