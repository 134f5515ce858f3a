"""What BYOL forgets: views that change colours, views that do not, and random weights, on `rooms`.

    python benchmarks/invariance.py --images 34000 --seeds 0 1 2

What a linear classifier reads of each factor, from codes whose numbers are standardised, which makes loud what is faint
in them, and from codes as they are. A study has protocols for whole codes, and none for a factor or a scaling, nor has
it runs that were never trained. 6,000 rows, fitted on one half and read on the other; one thread. Prints JSON, and each
run on stderr when it is measured.
"""

import argparse
import json
import sys
import tempfile
import warnings

import numpy as np
import torch
from running import commit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import unweave
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.method import Trainable, find_method
from unweave.models.foundation import Foundation
from unweave.runs.codes import encode_rows

DATA = {"name": "rooms", "size": 32}
VIEWS = {"colours": {"grey": 0.5}, "none": {"jitter": 0.0, "grey": 0.0}}


def trained(views: str, images: int, seed: int) -> Trainable:
    """BYOL, whose run is not kept."""
    training = {"images": images, "seed": seed, "threads": 1, "preview": 10**9}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        run = unweave.train("byol", data=DATA, method={"views": VIEWS[views]}, training=training, run=f"{folder}/run")
        return run.method("raw")


def untrained(dataset: Dataset, seed: int) -> Trainable:
    """Its network before the first step."""
    byol = find_method("byol")
    torch.manual_seed(seed)
    settings = byol.settings(**byol.presets["laptop"]["method"])
    return byol.build(settings, Foundation(dataset.shape, len(dataset)))


def accuracies(codes: np.ndarray, factors: np.ndarray, names: list[str], scaler: object) -> dict[str, float]:
    """Accuracy of a linear classifier for each factor, on the second half of the rows."""
    half, read = len(codes) // 2, {}
    for name, classes in zip(names, factors.T):
        classifier = make_pipeline(scaler, LogisticRegression(max_iter=200))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(codes[:half], classes[:half])
        read[name] = round(float(classifier.score(codes[half:], classes[half:])), 4)
    return read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=34_000, help="that each run sees")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset, records = unweave.open_data(DATA), []
    for seed in options.seeds:
        rows = sample_rows(len(dataset), 10_000, seed=seed)  # in no order, so that both halves are alike
        rows = np.random.default_rng(seed).permutation(rows)[:6_000]
        factors, names = dataset.factors(rows), list(dataset.factor_names)
        assert factors is not None
        for views in (*VIEWS, "random weights"):
            method = trained(views, options.images, seed) if views in VIEWS else untrained(dataset, seed)
            codes = encode_rows(method, dataset, rows)[..., 0]
            records.append({
                "views": views, "images": options.images, "seed": seed,
                "accuracy": accuracies(codes, factors, names, StandardScaler()),
                "of raw codes": accuracies(codes, factors, names, FunctionTransformer()),
            })  # fmt: skip
            print(json.dumps(records[-1]), file=sys.stderr)
    print(json.dumps({"command": sys.argv, "commit": commit(), "records": records}, indent=1))


if __name__ == "__main__":
    main()
