"""The rows that every paper compares with: each method, each seed, one data set, one budget; a table of medians.

    python benchmarks/rows.py --data sprites --images 200000 --out runs/rows --markdown
    python benchmarks/rows.py --data dsprites_grid46k.npz --methods betavae "betavae method.beta=1"

A method may be followed by settings; EncDiff's images are ten times dearer, so it has a budget of its own. Runs go to
--out and are resumed or kept, so the command can be stopped and repeated. The last checkpoint is scored, always;
settings are the `laptop` preset's, none is searched. Prints JSON; --markdown prints the table of medians, with the
lowest and highest seed.
"""

import argparse
import json
import re
import statistics
import sys
from pathlib import Path

from running import commit, unweave

from unweave.training.record import processor_name

ROWS = (
    "betavae method.beta=1",
    "betavae",
    "annealedvae",
    "factorvae",
    "betatcvae",
    "dipvae",
    "dipvae method.variant=II",
    "encdiff training.images=84000 training.optimiser=adamw training.rate=1e-3 training.betas=[0.9,0.98] "
    "training.decay=late",
)
SCORES = {
    "dci@1": ("disentanglement", "completeness", "informativeness"),
    "factorvae@1": ("eval_accuracy",),
    "betavae@1": ("eval_accuracy",),
    "mig@1": ("mig",),
    "med@1": ("disentanglement",),
}

HEADS = {
    "dci@1 disentanglement": "DCI D",
    "dci@1 completeness": "DCI C",
    "dci@1 informativeness": "DCI I",
    "factorvae@1 eval_accuracy": "FactorVAE",
    "betavae@1 eval_accuracy": "BetaVAE",
    "mig@1 mig": "MIG",
    "med@1 disentanglement": "MED",
}


def train_and_score(row: str, data: str, images: int | None, seed: int, out: Path) -> dict[str, object]:
    method, *settings = row.split()
    run_dir = out / re.sub(r"[^\w=.-]+", "-", f"{row} {Path(data).stem} {images or 'preset'} {seed}")
    has_budget = images is None or any(word.startswith("training.images=") for word in settings)
    budget = [] if has_budget else [f"training.images={images}"]
    words = [f"data={data}", f"training.seed={seed}", "training.preview=100000000", *budget, *settings]
    unweave("train", method, *words, "--run", str(run_dir), "--resume", "--quiet")
    scores_path = run_dir / "scores.json"
    if not scores_path.exists() or not set(SCORES) <= set(json.loads(scores_path.read_text())["protocols"]):
        unweave("evaluate", str(run_dir), "--repeats", "1", *(word for name in SCORES for word in ("--protocol", name)))
    protocols = json.loads(scores_path.read_text())["protocols"]
    record = json.loads((run_dir / "run.json").read_text())
    values = {f"{name} {kind}": protocols[name][kind]["value"] for name, kinds in SCORES.items() for kind in kinds}
    return {"row": row, "seed": seed, "images": record["images"], "seconds": record["seconds"], **values}


def markdown_table(results: list[dict[str, object]]) -> str:
    """Markdown: medians, with lowest and highest seed in brackets."""
    names = [f"{name} {kind}" for name, kinds in SCORES.items() for kind in kinds]
    lines = [
        f"| method | images | {' | '.join(HEADS[name] for name in names)} | seconds |",
        f"|---|--:|{'--:|' * len(names)}--:|",
    ]
    for row in dict.fromkeys(str(result["row"]) for result in results):
        of_row = [result for result in results if result["row"] == row]
        cells = []
        for name in names:
            values = sorted(float(str(result[name])) for result in of_row)
            cells.append(f"{statistics.median(values):.2f} ({values[0]:.2f}-{values[-1]:.2f})")
        seconds = statistics.median(float(str(result["seconds"])) for result in of_row)
        lines.append(f"| {row} | {of_row[0]['images']:,} | {' | '.join(cells)} | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sprites")
    parser.add_argument("--methods", nargs="+", default=list(ROWS))
    parser.add_argument("--images", type=int, help="budget of every row that names none; default: the preset's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/rows"))
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    commit_at_start, results = commit(), []
    for row in options.methods:
        for seed in options.seeds:
            results.append(train_and_score(row, options.data, options.images, seed, options.out))
            print(json.dumps(results[-1]), file=sys.stderr)
    about = {"command": sys.argv, "commit": commit_at_start, "cpu": processor_name(), "data": options.data}
    print(markdown_table(results) if options.markdown else json.dumps({**about, "runs": results}, indent=2))


if __name__ == "__main__":
    main()
