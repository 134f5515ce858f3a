"""Scores against images and against seconds: named configurations, several seeds, resumable.

    python benchmarks/quality.py --data sprites --configs laptop-1 release-1e-3 --images 200000 --out runs/quality
    python benchmarks/quality.py --data sprites --out runs/quality --only-report

Each (configuration, seed) is a run of its own; a run that was stopped goes on, one that is finished is kept, and seeds
interleave: every configuration has its first seed before any has its second. Checkpoints are kept while it trains
and scored afterwards, so that scoring takes no training time. The last one counts; none is chosen by its score.
Records are appended to OUT/records.jsonl; the JSON of all of them goes to stdout, and a picture of every score of every
run to OUT/against-images-DATA-SCORE.png and OUT/against-seconds-DATA-SCORE.png.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from running import commit, unweave

from unweave.figures.curve import plot_curves
from unweave.figures.save import save_picture

SHARED = (
    "method.encoder_width=64 method.layers=1 method.heads=4 method.groups=16 method.units=20 data.size=32 "
    "method.self_attention=true training.average=0.998 "
)
FIRST = SHARED + "method.encoder_halvings=4 method.patch=4 method.channels=[64,128] method.attention=[true,false] "
"""The network of the first laptop preset, 3.9 M parameters."""
SECOND = (
    SHARED + "method.encoder_halvings=3 method.patch=2 method.channels=[32,64,112] method.attention=[false,true,false] "
)
"""The network of the second and third, 3.1 M parameters; the release's settings are tried with it."""
FOURTH = SHARED + (
    "method.encoder_halvings=3 method.patch=4 method.channels=[32,64] method.attention=[true,false] "
    "method.self_attention=false "
)
"""The network of the fourth, 1.3 M parameters, which attends to tokens alone."""

RELEASE = (
    SECOND
    + "preset=release method.schedule=sqrt_linear method.prediction=eps method.loss=l1 method.weight=uniform "
    + "method.first_time=0 training.batch=128 training.decay=constant "
    + "training.optimiser=adamw training.betas=[0.9,0.999] "
)
LAPTOP = (
    "method.schedule=cosine method.prediction=x0 method.loss=l2 method.weight=balanced method.first_time=800 "
    + "training.batch=32 training.warmup=3200 "
)
SOAP = "training.optimiser=soap training.rate=3e-3 training.betas=[0.95,0.95] "
CONFIGS = {
    "laptop-1": FIRST
    + LAPTOP
    + "training.optimiser=adamw training.rate=1e-3 training.betas=[0.9,0.98] training.decay=late",
    "laptop-2": SECOND + LAPTOP + SOAP + "training.decay=cosine",
    "laptop-3": SECOND + LAPTOP + SOAP + "training.decay=late",
    "laptop-4": FOURTH + LAPTOP + SOAP + "training.decay=late",
    "laptop-64": "preset=laptop-64",
    "release-3e-4": RELEASE + "training.rate=3e-4",
    "release-1e-3": RELEASE + "training.rate=1e-3",
    "release-3e-3": RELEASE + "training.rate=3e-3",
}
WITH_WARMUP = {"release-3e-4", "release-1e-3", "release-3e-3"}
"""Configurations whose rate rises over the first 5 % of the budget."""

SCORES = {
    "dci@1": ("disentanglement", "completeness", "informativeness"),
    "factorvae@1": ("eval_accuracy",),
    "mig@1": ("mig",),
}
PICTURES = {
    "disentanglement": ("dci@1 disentanglement", "DCI disentanglement"),
    "completeness": ("dci@1 completeness", "DCI completeness"),
    "informativeness": ("dci@1 informativeness", "DCI informativeness"),
    "factorvae": ("factorvae@1 eval_accuracy", "FactorVAE score"),
    "mig": ("mig@1 mig", "MIG"),
}
"""The SCORE of a picture's name: what it is in a record, and in the picture's title."""


def train(name: str, words: list[str], data: str, images: int, seed: int, every: int, run_dir: Path) -> None:
    """Train to the end of the budget, keeping a copy of every checkpoint in RUN/curve."""
    warmup = [f"training.warmup={images // 20}"] if name in WITH_WARMUP else []
    settings = [*words, *warmup, f"data={data}", f"training.images={images}", f"training.seed={seed}"]
    settings += [f"training.save={every}", "training.preview=1000000000"]
    command = [
        sys.executable,
        "-m",
        "unweave",
        "train",
        "encdiff",
        *settings,
        "--run",
        str(run_dir),
        "--resume",
        "--quiet",
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while child.poll() is None:
        keep_checkpoints(run_dir)
        time.sleep(0.5)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit status {child.returncode}")
    keep_checkpoints(run_dir)


def keep_checkpoints(run_dir: Path) -> None:
    """Copy what scores need of every whole checkpoint."""
    for record in run_dir.glob("checkpoints/[0-9]*/state.json"):
        copy = run_dir / "curve" / record.parent.name / "checkpoints" / record.parent.name
        if not copy.exists():
            part = copy.with_name(f".{copy.name}")
            shutil.copytree(record.parent, part)
            part.rename(copy)


def score(run_dir: Path, rows: int) -> list[dict[str, Any]]:
    """Score every kept checkpoint that has no scores yet; images, seconds and scores of each."""
    points = []
    for snapshot in sorted((run_dir / "curve").iterdir()):
        shutil.copy(run_dir / "settings.toml", snapshot)
        if not (snapshot / "scores.json").exists():
            protocols = [word for name in SCORES for word in ("--protocol", name)]
            unweave("evaluate", str(snapshot), "--rows", str(rows), "--repeats", "1", *protocols)
        state = json.loads((snapshot / "checkpoints" / snapshot.name / "state.json").read_text())
        scores = json.loads((snapshot / "scores.json").read_text())["protocols"]
        values = {f"{name} {kind}": scores[name][kind]["value"] for name, kinds in SCORES.items() for kind in kinds}
        points.append({"images": state["seen"], "seconds": round(state["seconds"], 1), **values})
    return points


def markdown_table(records: list[dict[str, Any]]) -> str:
    """Markdown: the last checkpoint of each run, as medians over seeds, with the lowest and highest."""
    names = [f"{name} {kind}" for name, kinds in SCORES.items() for kind in kinds]
    lines = [
        f"| configuration | data | images | seeds | seconds | {' | '.join(names)} |",
        f"|---|---|--:|--:|--:|{'--:|' * len(names)}",
    ]
    last_points: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for record in records:
        key = (record["configuration"], record["data"], record["images"])
        last_points.setdefault(key, []).append(record["curve"][-1])
    for (configuration, data, images), points in last_points.items():
        seconds = statistics.median(point["seconds"] for point in points)
        cells = []
        for name in names:
            values = sorted(point[name] for point in points)
            cells.append(f"{statistics.median(values):.3f} ({values[0]:.3f}-{values[-1]:.3f})")
        lines.append(f"| {configuration} | {data} | {images:,} | {len(points)} | {seconds:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def run_label(record: dict[str, Any]) -> str:
    return f"{record['images'] // 1000}k seed {record['seed']}"


def draw_curves(records: list[dict[str, Any]], out: Path) -> None:
    """The curves of every run, against images and against seconds, a picture for each data set and score."""
    for data in dict.fromkeys(record["data"] for record in records):
        for x in ("images", "seconds"):
            for score, (name, title) in PICTURES.items():
                points = [
                    {x: point[x], f"{record['configuration']} {run_label(record)}": point[name]}
                    for record in records
                    if record["data"] == data
                    for point in record["curve"]
                ]
                picture = plot_curves(points, x=x, x_label=x, vertical="linear", title=f"{title} on {data}")
                save_picture(picture, out / f"against-{x}-{data}-{score}.png", overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sprites")
    parser.add_argument("--configs", nargs="+", default=list(CONFIGS), help="names, each perhaps with '+key=value'")
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--every", type=int, default=20_000, help="images between scored checkpoints")
    parser.add_argument("--rows", type=int, default=50_000, help="rows that are encoded for scores")
    parser.add_argument("--out", type=Path, default=Path("runs/quality"))
    parser.add_argument("--only-report", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    for name in options.configs:
        if name.split("+")[0] not in CONFIGS:
            parser.error(f"no configuration is called {name.split('+')[0]}: choose of {', '.join(CONFIGS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    records_path = options.out / "records.jsonl"
    records = [json.loads(line) for line in records_path.read_text().splitlines()] if records_path.exists() else []
    commit_at_start = commit()
    done = {(record["configuration"], record["seed"], record["images"], record["data"]) for record in records}
    for seed in [] if options.only_report else options.seeds:
        for name in options.configs:
            data = Path(options.data).stem
            if (name, seed, options.images, data) in done:
                continue
            base, *changes = name.split("+")
            run_dir = options.out / f"{name.replace('/', '-')}-{data}-{options.images}-{seed}"
            train(base, [*CONFIGS[base].split(), *changes], options.data, options.images, seed, options.every, run_dir)
            run_record = json.loads((run_dir / "run.json").read_text())
            record = {
                "configuration": name,
                "data": data,
                "seed": seed,
                "images": options.images,
                "command": sys.argv,
                "commit": commit_at_start,
                "device": run_record["device"],
                "threads": run_record["threads"],
                "precision": run_record["precision"],
                "cores": len(os.sched_getaffinity(0)),
                "curve": score(run_dir, options.rows),
            }
            records.append(record)
            with records_path.open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(json.dumps({**record, "curve": record["curve"][-1]}), file=sys.stderr)
    draw_curves(records, options.out)
    print(markdown_table(records) if options.markdown else json.dumps(records, indent=2))


if __name__ == "__main__":
    main()
