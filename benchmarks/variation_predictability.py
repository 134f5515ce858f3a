"""How often a fresh judge names the unit that changed, from the difference of two pictures that a run drew.

    python benchmarks/variation_predictability.py runs/protovae runs/betavae

After Zhu, Xu, Tao, "Learning disentangled representations with latent variation predictability", ECCV 2020,
arXiv:2007.12885: learned from a tenth of the pairs, read on the others. One unit of each pair is taken from another
image; a unit that moves next to nothing (at most 1 % of what the strongest does) is never changed. It is no evidence
of separation: codes turned by any angle reach .99 (docs/protovae.md). JSON to stdout, one line a run.
"""

import argparse
import json

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier

from unweave.method import Sampling, evaluating
from unweave.runs.codes import check_generative, encode_rows
from unweave.runs.run import Run

LEAST = 0.01


def pairs_of(run: Run, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of pictures as rows, and the unit that was changed."""
    method, data, rng = check_generative(run.method()), run.dataset(), np.random.default_rng(0)
    rows = np.sort(rng.choice(len(data), min(5_000, len(data)), replace=False))
    codes = torch.from_numpy(encode_rows(method, data, rows))

    def draw(unit: np.ndarray) -> torch.Tensor:
        before = codes[rng.integers(len(codes), size=len(unit))]
        after = before.clone()
        chosen = torch.arange(len(unit)), torch.from_numpy(unit)
        after[chosen] = codes[rng.integers(len(codes), size=len(unit))][chosen]
        start = method.start(len(unit), torch.Generator().manual_seed(0))
        return (method.decode(after, start, Sampling()) - method.decode(before, start, Sampling())).flatten(1)

    with evaluating(method):
        strength = np.array([float(draw(np.full(64, k)).square().mean()) for k in range(codes.shape[1])])
        alive = np.flatnonzero(strength > LEAST * strength.max())
        units = rng.choice(alive, pairs)
        drawn = [draw(part).numpy() for part in np.array_split(units, max(1, pairs // 250))]
    return np.concatenate(drawn), units


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--pairs", type=int, default=10_000)
    options = parser.parse_args()
    for place in options.runs:
        differences, units = pairs_of(Run(place), options.pairs)
        seen = options.pairs // 10
        differences /= differences[:seen].std()
        judge = MLPClassifier((256, 256), early_stopping=True, max_iter=400, random_state=0)
        judge.fit(differences[:seen], units[:seen])
        named = judge.score(differences[seen:], units[seen:])
        alive = len(np.unique(units))
        print(json.dumps({"run": place, "units": alive, "named": round(named, 4), "chance": round(1 / alive, 4)}))


if __name__ == "__main__":
    main()
