"""ProtoVAE's 2 x 2 on the diagonal bump, each cell with the same seeds: what its demonstration rests on.

    python benchmarks/protovae_bump.py --seeds 10 11 12 13 14

A line of JSON for each training, then the medians over seeds and the differences from the VAE of the same seed.
"""

import argparse
import json

import numpy as np

from unweave.demos import protovae


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument("--images", type=int, default=protovae.IMAGES)
    arguments = parser.parse_args()
    facts: dict[str, list[dict[str, float]]] = {name: [] for name in protovae.CELLS}
    for seed in arguments.seeds:
        for name, table in protovae.CELLS.items():
            facts[name].append(protovae.measure(protovae.train(table, seed, arguments.images), seed))
            print(json.dumps({"cell": name, "seed": seed, **facts[name][-1]}), flush=True)
    for name, rows in facts.items():
        medians = {key: round(float(np.median([row[key] for row in rows])), 3) for key in rows[0]}
        gains = [round(own["MCC"] - vae["MCC"], 3) for own, vae in zip(rows, facts["VAE"])]
        print(json.dumps({"cell": name, "median": medians, "MCC above the VAE": gains, "seeds": arguments.seeds}))


if __name__ == "__main__":
    main()
