"""Learners without decoders, with what keeps them from collapsing and without it: how much of the sphere is taken up?

    python benchmarks/collapse.py --images 16000

Each learner is trained twice with the preset `laptop` on `rooms`, one thread. Measured are its projections, which are
no units, so a study, which scores units, has no place for it: their deviation at unit length, as a part of that of
codes spread evenly over the sphere, and their effective rank (e to the entropy of the eigenvalues of the covariance).
Prints JSON, and each run on stderr when it is measured.
"""

import argparse
import json
import sys
import tempfile
from typing import Any

import numpy as np
import torch
from running import commit

import unweave
from unweave.data.sampling import sample_rows
from unweave.method import evaluating
from unweave.methods._contrastive import Contrastive
from unweave.tensors import to_images

SWITCHED_OFF: dict[str, dict[str, Any]] = {
    "byol": {"predictor": 0, "decay": 0.0, "decay_end": 0.0},
    "simsiam": {"stop_gradient": False},
    "barlowtwins": {"redundancy": 0.0},
    "wmse": {"whitening": False},
    "dino": {"centring": False},
    "moco": {"negatives": False},
    "simclr": {"negatives": False},
}


def measure(learner: str, settings: dict[str, Any], images: int, seed: int) -> dict[str, float]:
    """Of a learner that is trained and not kept."""
    training = {"images": images, "seed": seed, "threads": 1, "preview": 10**9}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data = {"name": "rooms", "size": 32}
        run = unweave.train(learner, data=data, method=settings, training=training, run=f"{folder}/run")
        method, dataset = run.method("raw"), run.dataset()
    assert isinstance(method, Contrastive)
    pictures = to_images(dataset.images(sample_rows(len(dataset), 2_000, seed=seed)))
    with evaluating(method):
        return spread(method.project(pictures).double().numpy())


def spread(codes: np.ndarray) -> dict[str, float]:
    """How much of the sphere codes of unit length take up; 1 and the width where they are spread evenly."""
    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True).clip(1e-12)
    values = np.linalg.eigvalsh(np.cov(unit.T)).clip(0)
    parts = values[values > 0] / values.sum()
    rank = float(np.exp(-(parts * np.log(parts)).sum())) if values.sum() > 1e-12 else 0.0
    return {"deviation": float(unit.std(0).mean() * unit.shape[1] ** 0.5), "rank": rank}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=16_000, help="that each run sees")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--learners", nargs="+", default=list(SWITCHED_OFF))
    options = parser.parse_args()
    torch.set_num_threads(1)
    records = []
    for seed in options.seeds:
        for learner in options.learners:
            for control in (False, True):
                settings = SWITCHED_OFF[learner] if control else {}
                record = {"learner": learner, "control": control, "images": options.images, "seed": seed}
                records.append({**record, **measure(learner, settings, options.images, seed)})
                print(json.dumps(records[-1]), file=sys.stderr)
    print(json.dumps({"command": sys.argv, "commit": commit(), "records": records}, indent=1))


if __name__ == "__main__":
    main()
