"""`unweave demo diti` over seeds, every slice x factor, and with one part of the preset `gap` changed.

    python benchmarks/diti_hues.py --seeds 0 1 2 --out runs/diti-hues
    python benchmarks/diti_hues.py --out runs/diti-hues --only-report

The frozen model of a seed is trained once and kept in OUT. A line of OUT/records.jsonl is an arm of a seed, one thread;
what is there already is not done again. The table goes to stdout: the least of the slices for their own factors, the
mean and the largest of the rest, by seed.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import torch
from running import commit

from unweave.demos import _hues
from unweave.demos.diti import STEPS, summary, train
from unweave.methods.diti import DiTi

ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "DiTi, edges of the frozen model's errors": ("diti", {"edges": "auto"}),
    "DiTi, edges of the factors' losses (supervised)": ("diti", {"edges": "factors"}),
    "PDAE": ("pdae", {}),
    "DiTi, gradient into all open slices": ("diti", {"edges": "auto", "gradient": "base"}),
    "DiTi, no noise and no cost": ("diti", {"edges": "auto", "noise": 0.0, "cost": 0.0}),
    "DiTi, a velocity in place of the gap": ("diti", {"edges": "auto", "field": "velocity"}),
    "DiTi, the error of x_0 as weight": ("diti", {"edges": "auto", "weight": "clean"}),
    "DiTi, the published weight": ("diti", {"edges": "auto", "weight": "snr"}),
    "DiTi, no map of places": ("diti", {"edges": "auto", "placed": False}),
    "DiTi, code not normalised": ("diti", {"edges": "auto", "gain": None}),
}  # fmt: skip
FIRST = list(ARMS)[:4]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=FIRST, metavar="ARM", help=f"of: {'; '.join(ARMS)}")
    parser.add_argument("--out", type=Path, default=Path("runs/diti-hues"))
    parser.add_argument("--only-report", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "records.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    torch.set_num_threads(1)
    for seed in [] if options.only_report else options.seeds:
        kept = options.out / f"frozen-{seed}.joblib"
        if not kept.exists():
            joblib.dump(_hues.frozen_model(seed), kept)
        foundation = joblib.load(kept)
        for arm in options.arms:
            if any((record["arm"], record["seed"]) == (arm, seed) for record in records):
                continue
            began, (name, table) = time.perf_counter(), ARMS[arm]
            method = train(name, seed, foundation, **table)
            slices = _hues.measure(method, seed)
            record = {
                "arm": arm, "seed": seed, "table": table, "steps": STEPS, "seconds": round(time.perf_counter() - began),
                "edges": list(method.stages.edges) if isinstance(method, DiTi) else None,
                **{key: values.round(3).tolist() for key, values in slices._asdict().items()},
                "summary": {key: round(value, 3) for key, value in summary(slices, "").items()},
                "command": sys.argv, "commit": commit(),
            }  # fmt: skip
            records.append(record)
            with path.open("a") as file:
                file.write(json.dumps(record) + "\n")
    print(markdown_table(records))


def markdown_table(records: list[dict[str, Any]]) -> str:
    """A row for every arm, the values of its seeds beside each other."""
    names = list(records[0]["summary"]) if records else []
    lines = [f"| arm | seeds | edges | {' | '.join(names)} |", f"|---|---|---|{'---|' * len(names)}"]
    for arm in dict.fromkeys(record["arm"] for record in records):
        of_arm = sorted((r for r in records if r["arm"] == arm), key=lambda record: record["seed"])
        edges = " ".join("-".join(map(str, r["edges"][:-1])) if r["edges"] else "none" for r in of_arm)
        cells = [" ".join(f"{record['summary'][name]:.2f}" for record in of_arm) for name in names]
        lines.append(f"| {arm} | {' '.join(str(r['seed']) for r in of_arm)} | {edges} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
