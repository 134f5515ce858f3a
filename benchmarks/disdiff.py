"""DisDiff on its foundation, with and without its disentangling terms, and EncDiff beside it.

    python benchmarks/disdiff.py --data rooms --seeds 0 1 2 --out runs/disdiff
    python benchmarks/disdiff.py --data rooms --out runs/disdiff --only-report

The foundation (autoencoder, denoiser) is trained once, with seed 0, and every arm of DisDiff stands on the same one.
Arms: `disdiff` (lambda as given), `disdiff-0` (lambda 0), `encdiff-images` (as many images as DisDiff saw),
`encdiff-time` (as many images as EncDiff sees in the seconds of DisDiff and of its foundation, from the speed of
`encdiff-images`).
Each (arm, seed) is a run that goes on where it stopped; seeds interleave; the last checkpoint is scored. Records go to
OUT/records.jsonl, the table of medians to stdout.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from running import train, unweave

SCORES = {
    "dci@1": ("disentanglement", "completeness", "informativeness"),
    "factorvae@1": ("eval_accuracy",),
    "mig@1": ("mig",),
    "med-unreduced@1": ("top2_disentanglement", "disentanglement"),
    "med@1": ("disentanglement",),
}


def score(run_dir: Path, rows: int, edits: bool) -> dict[str, float]:
    protocols = [word for name in SCORES for word in ("--protocol", name)]
    if not (run_dir / "scores.json").exists():
        unweave("evaluate", str(run_dir), "--rows", str(rows), "--repeats", "1", *protocols, *(["--edits"] * edits))
    scores = json.loads((run_dir / "scores.json").read_text())["protocols"]
    values = {
        f"{name} {kind}": scores[name][kind]["value"]
        for name, kinds in SCORES.items()
        for kind in kinds
        if name in scores and kind in scores[name]
    }
    if (run_dir / "edit_scores.json").exists():
        edit_scores = json.loads((run_dir / "edit_scores.json").read_text())["protocols"]
        values["swap-consistency@1"] = edit_scores["swap-consistency@1"]["consistency"]
        values |= {f"edit-precision@1 {kind}": edit_scores["edit-precision@1"][kind] for kind in ("precision", "reach")}
    return values


def train_foundation(options: argparse.Namespace) -> tuple[Path, float]:
    """The denoiser's run, and the seconds that it and its autoencoder took."""
    name = Path(options.data).stem
    autoencoder, denoiser = (options.out / f"{network}-{name}" for network in ("autoencoder", "denoiser"))
    data, threads = f"data={options.data}", [f"training.threads={options.threads}"] * (options.threads > 0)
    kind = "laptop-kl" if options.kind == "kl" else "laptop"
    seconds = train("autoencoder", [f"preset={kind}", data, *threads], autoencoder)["seconds"]
    stands_on = f"foundation.autoencoder.from={autoencoder}"
    seconds += train("denoiser", [f"preset=laptop-{options.kind}", data, stands_on, *threads], denoiser)["seconds"]
    return denoiser, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="rooms")
    parser.add_argument("--kind", choices=("kl", "vq"), default="kl", help="of the autoencoder")
    parser.add_argument("--images", type=int, default=30_000, help="that every arm of DisDiff sees")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=["disdiff", "disdiff-0", "encdiff-images", "encdiff-time"])
    parser.add_argument("--rows", type=int, default=20_000, help="rows that are encoded for scores")
    parser.add_argument("--threads", type=int, default=0, help="of training; 0 is auto")
    parser.add_argument("--edits", action="store_true", help="also measure swaps (minutes)")
    parser.add_argument("--out", type=Path, default=Path("runs/disdiff"))
    parser.add_argument("--only-report", action="store_true")
    parser.add_argument("words", nargs="*", help="settings of DisDiff to change, such as method.units=20")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    records_path = options.out / "records.jsonl"
    records = [json.loads(line) for line in records_path.read_text().splitlines()] if records_path.exists() else []
    data, extra = Path(options.data).stem, " ".join(options.words)
    keys = ("arm", "seed", "data", "images", "words", "kind")
    done = {tuple(record[key] for key in keys): record for record in records}
    for seed in [] if options.only_report else options.seeds:
        for arm in options.arms:
            words = extra if arm.startswith("disdiff") else ""
            key = (arm, seed, data, options.images, words, options.kind)
            if key in done:
                continue
            run_dir = options.out / "-".join([arm, data, str(options.images), str(seed), *options.words])
            settings = [f"data={options.data}", f"training.seed={seed}"]
            settings += [f"training.threads={options.threads}"] * (options.threads > 0)
            images, before = options.images, 0.0
            if arm.startswith("disdiff"):
                denoiser, before = train_foundation(options)
                settings += [
                    f"foundation.denoiser.from={denoiser}",
                    f"preset=laptop{'' if options.kind == 'kl' else '-vq'}",
                ]
                settings += (["method.weight=0"] if arm == "disdiff-0" else []) + options.words
            elif arm == "encdiff-time":
                earlier = [r for r in done.values() if r["seed"] == seed and r["data"] == data]
                of_seed = {r["arm"]: r for r in reversed(earlier)}  # the first of each arm
                disdiff_seconds = sum(of_seed["disdiff"][key] for key in ("seconds", "foundation_seconds"))
                images = int(options.images * disdiff_seconds / of_seed["encdiff-images"]["seconds"])
            run_record = train(arm.split("-")[0], [*settings, f"training.images={images}"], run_dir)
            record = {
                "arm": arm, "seed": seed, "data": data, "images": options.images, "words": words, "kind": options.kind,
                "seen": images, "seconds": run_record["seconds"], "foundation_seconds": before, "command": sys.argv,
                "device": run_record["device"], "threads": run_record["threads"], "precision": run_record["precision"],
                "scores": score(run_dir, options.rows, options.edits),
            }  # fmt: skip
            records.append(record)
            done[key] = record
            with records_path.open("a") as file:
                file.write(json.dumps(record) + "\n")
    print(markdown_table(records))


def markdown_table(records: list[dict[str, Any]]) -> str:
    """Markdown: medians over seeds, with the lowest and highest, and the paired differences of lambda and 0."""
    names = list(dict.fromkeys(name for record in records for name in record["scores"]))
    lines = [
        f"| arm | data | seeds | seen | seconds | {' | '.join(names)} |",
        f"|---|---|--:|--:|--:|{'--:|' * len(names)}",
    ]
    for key in dict.fromkeys((record["arm"], record["words"], record["data"], record["kind"]) for record in records):
        of_arm = [r for r in records if (r["arm"], r["words"], r["data"], r["kind"]) == key]
        cells = []
        for name in names:
            values = sorted(record["scores"][name] for record in of_arm if name in record["scores"])
            cells.append(f"{statistics.median(values):.3f} ({values[0]:.3f}-{values[-1]:.3f})" if values else "")
        seen, seconds = (statistics.median(record[number] for record in of_arm) for number in ("seen", "seconds"))
        seeds = len({record["seed"] for record in of_arm})
        arm = f"{key[0]} {key[1]}".strip()
        lines.append(f"| {arm} | {key[2]} ({key[3]}) | {seeds} | {seen:,.0f} | {seconds:.0f} | {' | '.join(cells)} |")
    for data in dict.fromkeys(record["data"] for record in records):
        pairs = {}
        for record in records:
            if record["arm"] in ("disdiff", "disdiff-0") and record["data"] == data and not record["words"]:
                pairs.setdefault(record["seed"], {})[record["arm"]] = record["scores"]["dci@1 disentanglement"]
        gains = [f"{pair['disdiff'] - pair['disdiff-0']:+.3f}" for pair in pairs.values() if len(pair) == 2]
        lines.append(
            f"\n{data}: DCI disentanglement with lambda less that with 0, by seed: {', '.join(gains) or 'none'}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
