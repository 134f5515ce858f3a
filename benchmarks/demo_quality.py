"""The laptop preset on `rooms` over several seeds: scores, seconds and peak memory.

    python benchmarks/demo_quality.py --seeds 0 1 2 --out runs/demo-quality

Each seed is a run of its own, trained and scored by the command line that `make demo` uses; a finished one is not
trained again. Prints JSON with every seed and the medians. The last checkpoint is scored, always.
"""

import argparse
import json
import resource
import statistics
from pathlib import Path

from running import unweave

CONFIG = Path(__file__).parents[1] / "configs" / "encdiff_rooms_laptop.toml"
SCORES = {
    "dci@1": ("disentanglement", "completeness", "informativeness"),
    "factorvae@1": ("eval_accuracy",),
    "mig@1": ("mig",),
}


def train_and_score(seed: int, out: Path, words: list[str]) -> dict[str, object]:
    run_dir = str(out / f"seed-{seed}")
    unweave("train", str(CONFIG), f"training.seed={seed}", *words, "--run", run_dir, "--resume")
    record = json.loads((Path(run_dir) / "run.json").read_text())
    protocols = [word for name in SCORES for word in ("--protocol", name)]
    scores = json.loads(unweave("evaluate", run_dir, *protocols, "--json"))["protocols"]
    values = {f"{name} {score}": scores[name][score]["value"] for name, kinds in SCORES.items() for score in kinds}
    return {
        "seed": seed,
        "images": record["images"],
        "seconds": record["seconds"],
        "precision": record["precision"],
        "device": record["device"],
        **values,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/demo-quality"))
    parser.add_argument("words", nargs="*", help="settings to change, such as method.diffusion=false")
    options = parser.parse_args()
    rows = [train_and_score(seed, options.out, options.words) for seed in options.seeds]
    numbers = [key for key, value in rows[0].items() if isinstance(value, int | float) and key != "seed"]
    medians = {key: statistics.median(float(str(row[key])) for row in rows) for key in numbers}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(json.dumps({"words": options.words, "runs": rows, "medians": medians, "peak_gib": round(peak, 2)}, indent=2))


if __name__ == "__main__":
    main()
