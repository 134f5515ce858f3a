"""PDAE and DiTi on one frozen denoiser, with equal images: linear probes from few labels, reconstruction.

    python benchmarks/diti.py --data rooms --seeds 0 1 2 --out runs/diti
    python benchmarks/diti.py --data rooms --out runs/diti --only-report

The denoiser is trained once, with seed 0. Each (arm, seed) is a run that goes on where it stopped; the last checkpoint
is scored, by its averaged weights. Records go to OUT/records.jsonl, the table of medians to stdout. `--inversion RUN`
measures instead how well images come back from their inverted x_T, over numbers of steps of both
samplers (ddim of first order, dpmsolver++ of second).
"""

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from running import commit, train

from unweave.editing.start import make_start
from unweave.evaluation.probe import probe
from unweave.evaluation.run_editor import RunEditor
from unweave.method import Sampling, evaluating
from unweave.runs.codes import check_generative
from unweave.runs.model import best_device
from unweave.runs.run import Run
from unweave.tensors import to_images

STEPS = (20, 50, 100, 200)


def errors(run: Run, count: int = 64) -> dict[str, float]:
    """Mean squared error of pixels in [0, 1]: from the code alone (x_T of a seed), and from the inverted x_T."""
    data = run.dataset()
    rows = np.random.default_rng(1).choice(len(data), count, replace=False)
    editor = RunEditor(check_generative(run.method()), data, Sampling("ddim", 50), seed=0)
    images = editor.images(rows)
    rebuilt = {
        "mse of the code alone": editor.reconstruct(rows),
        "mse of inverted x_T": replace(editor, seed=None).reconstruct(rows),
    }
    return {name: ((back - images) / 2).square().mean().item() for name, back in rebuilt.items()}


def inversion(run: Run, count: int = 16) -> list[dict[str, float]]:
    """PSNR in dB (data range [0, 1]) of images rebuilt from their inverted x_T.

    Nothing is clipped, the last picture neither: a method's `decode` would do that, so the sampler is asked itself.
    """
    data = run.dataset()
    rows = np.random.default_rng(2).choice(len(data), count, replace=False)
    images, method = to_images(data.images(rows), best_device()), cast(Any, run.method())
    measured = []
    for steps in STEPS:
        for sampler in ("ddim", "dpmsolver++"):
            sampling = Sampling(sampler, steps, clip=False)
            start = make_start(method, images, sampling=sampling, seed=None)
            with evaluating(method):
                back = method.process.sample(method.predictor(method.encode(images)), start, sampling)
            errors_of_images = ((back - images) / 2).square().mean((1, 2, 3)).clamp(min=1e-12)
            measured.append({
                "steps": steps, "sampler": sampler, "psnr": (-10 * torch.log10(errors_of_images)).mean().item(),
                "std of x_T": start.std().item(),
            })  # fmt: skip
            print(json.dumps(measured[-1]), flush=True)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="rooms")
    parser.add_argument("--images", type=int, default=0, help="that PDAE and DiTi see; 0 is the preset's")
    parser.add_argument("--denoiser-images", type=int, default=0, help="that the denoiser sees; 0 is the preset's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=["pdae", "diti"], help="pdae, diti, diffae")
    parser.add_argument("--labels", type=int, default=100, help="of each class, for the probes")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of each split that are encoded")
    parser.add_argument("--threads", type=int, default=0, help="of training; 0 is auto")
    parser.add_argument("--out", type=Path, default=Path("runs/diti"))
    parser.add_argument("--only-report", action="store_true")
    parser.add_argument("--inversion", type=Path, help="a run: measure its inversion and stop")
    parser.add_argument("words", nargs="*", help="settings to change in both arms, such as method.weight=snr")
    options = parser.parse_args()
    if options.inversion:
        inversion(Run(options.inversion))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    records_path = options.out / "records.jsonl"
    records = [json.loads(line) for line in records_path.read_text().splitlines()] if records_path.exists() else []
    data = Path(options.data).stem
    common = [f"data={options.data}", *([f"training.threads={options.threads}"] if options.threads else [])]
    words = " ".join(options.words)
    keys = ("arm", "seed", "data", "asked", "labels", "words")
    done = {tuple(record[key] for key in keys) for record in records}
    for seed in [] if options.only_report else options.seeds:
        for arm in options.arms:
            if (arm, seed, data, options.images, options.labels, words) in done:
                continue
            denoiser, before = options.out / f"denoiser-{data}", 0.0
            budget = [f"training.images={options.images}"] if options.images else []
            if arm != "diffae":
                few = [f"training.images={options.denoiser_images}"] if options.denoiser_images else []
                before = train("denoiser", [*common, *few], denoiser)["seconds"]
                budget.append(f"foundation.denoiser.from={denoiser}")
            run_dir = options.out / "-".join([arm, data, str(options.images), str(seed), *options.words])
            run_record = train(arm, [*common, *budget, f"training.seed={seed}", *options.words], run_dir)
            run = Run(run_dir)
            probed = [probe(run, labels=labels, rows=options.rows) for labels in (options.labels, None)]
            record = {
                "arm": arm, "seed": seed, "data": data, "asked": options.images, "labels": options.labels,
                "words": words, "images": run_record["images"], "seconds": run_record["seconds"],
                "foundation_seconds": before, "command": sys.argv, "commit": commit(),
                "device": run_record["device"], "threads": run_record["threads"],
                "probe": {
                    result.protocol: {
                        name: scores["accuracy"] for name, scores in result.targets.items()
                    } | {"mean": result.mean["accuracy"]} for result in probed
                },
                "errors": errors(run),
            }  # fmt: skip
            records.append(record)
            with records_path.open("a") as file:
                file.write(json.dumps(record) + "\n")
    print(markdown_table([record for record in records if record["data"] == data]))


def markdown_table(records: list[dict[str, Any]]) -> str:
    """Markdown: medians over seeds with the lowest and highest, and paired differences of DiTi and PDAE."""
    if not records:
        return "there is no record yet"
    lines = []
    for protocol in records[0]["probe"]:
        names = list(records[0]["probe"][protocol])
        lines += [
            f"\n{protocol}\n",
            f"| arm | seeds | seconds | {' | '.join(names)} |",
            f"|---|--:|--:|{'--:|' * len(names)}",
        ]
        for arm in dict.fromkeys(record["arm"] for record in records):
            of_arm = [record for record in records if record["arm"] == arm]
            cells = [median_and_range([record["probe"][protocol][name] for record in of_arm]) for name in names]
            seconds = statistics.median(record["seconds"] for record in of_arm)
            lines.append(f"| {arm} | {len(of_arm)} | {seconds:.0f} | {' | '.join(cells)} |")
        pairs: dict[int, dict[str, float]] = {}
        for record in records:
            pairs.setdefault(record["seed"], {})[record["arm"]] = record["probe"][protocol]["mean"]
        gains = [f"{pair['diti'] - pair['pdae']:+.3f}" for pair in pairs.values() if {"diti", "pdae"} <= set(pair)]
        lines.append(f"\nmean of DiTi less that of PDAE, by seed: {', '.join(gains) or 'none'}")
    names = list(records[0]["errors"])
    lines += ["", f"| arm | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]
    for arm in dict.fromkeys(record["arm"] for record in records):
        cells = [median_and_range([r["errors"][name] for r in records if r["arm"] == arm], 5) for name in names]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def median_and_range(values: list[float], digits: int = 3) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


if __name__ == "__main__":
    main()
