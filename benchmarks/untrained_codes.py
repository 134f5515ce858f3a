"""Codes that no training made, beside those of studies/contrastive.toml: PCA of the pixels, noise, random weights.

    python benchmarks/untrained_codes.py sprites rooms > codes.json
    unweave leaderboard runs/contrastive codes.json

A study has runs, and these are none. 64 numbers each, scored under med@1 and its null. Prints a record of runs.
"""

import argparse
import json
import sys

import numpy as np
import torch
from running import commit
from sklearn.decomposition import PCA

import unweave
from unweave.data.dataset import Dataset
from unweave.data.open import dataset_table
from unweave.data.sampling import sample_rows
from unweave.evaluation.scores import evaluate_tables
from unweave.method import find_method
from unweave.models.foundation import Foundation
from unweave.runs.codes import encode_rows

PROTOCOLS = ("med@1", "med-null@1")
WIDTH = 64


def codes_of(dataset: Dataset, rows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """[rows, 64] by what made them."""
    pixels = dataset.images(rows).reshape(len(rows), -1).astype(np.float32)
    byol = find_method("byol")
    torch.manual_seed(seed)
    network = byol.build(byol.settings(**byol.presets["laptop"]["method"]), Foundation(dataset.shape, len(dataset)))
    return {
        "pca": PCA(min(WIDTH, *pixels.shape), random_state=seed, svd_solver="randomized").fit_transform(pixels),
        "noise": np.random.default_rng(seed).normal(size=(len(rows), WIDTH)),
        "random weights": encode_rows(network, dataset, rows)[..., 0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="names or paths of data sets with factors")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    for data in options.data:
        dataset = unweave.open_data(dataset_table(data) | {"size": 32})
        for seed in options.seeds:
            rows = sample_rows(len(dataset), options.rows, seed=seed)
            for name, codes in codes_of(dataset, rows, seed).items():
                scores = evaluate_tables(codes, dataset.factors(rows), protocols=PROTOCOLS, repeats=1, seed=seed)
                measured = {
                    f"{protocol} {score}": interval["value"]
                    for protocol in PROTOCOLS
                    for score, interval in scores["protocols"][protocol].items()
                }
                runs.append({"row": name, "data": dataset.name, "seed": seed, "images": 0, **measured})
                print(json.dumps(runs[-1]), file=sys.stderr)
    print(json.dumps({"command": sys.argv, "commit": commit(), "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
