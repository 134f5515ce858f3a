"""Why the laptop presets of PDAE and DiTi predict v and weigh by 1 / SNR: errors of x_0 after few images, no labels.

    python benchmarks/diti_presets.py --out runs/diti-presets

Two small denoisers see equal images, one predicts the noise and one v. On the latter PDAE learns for a few hundred
steps with each weight over time; on the former as published. The table says how far one guess of x_0 from x_t (mean
squared error, pixels in [-1, 1]) is off, without the code and with it. Runs go on where they stopped; JSON to stdout.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from running import commit, train

from unweave.devices import best_device
from unweave.models.diffusion.noising import add_noise, clean_of
from unweave.runs.run import Run
from unweave.tensors import to_images

TIMES = (999, 900, 800, 600, 400, 200)
PREDICTIONS = ("v", "eps")
ARMS = {
    "v, weight 1 / SNR (laptop)": ("v", "clean", "velocity"),
    "v, no weight": ("v", "uniform", "velocity"),
    "v, published weight": ("v", "snr", "velocity"),
    "eps, as published": ("eps", "snr", "score"),
}
"""By name: what the denoiser predicts, method.weight, method.field."""


@torch.inference_mode()
def errors(run: Run, count: int) -> dict[str, Any]:
    """Mean squared error of x_0 from x_t in one step, by time: of the frozen model alone, and with the code."""
    data, device = run.dataset(), best_device()
    images = to_images(data.images(np.random.default_rng(3).choice(len(data), count, replace=False)), device)
    method: Any = run.method()
    predict = method.predictor(method.encode(images))
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).to(device)
    without_code: dict[str, float] = {}
    with_code: dict[str, float] = {}
    for time in TIMES:
        t = torch.full((count,), time, device=device)
        abar = method.denoiser.process.abar[t]
        x_t = add_noise(images, noise, abar)
        for errors_by_time, eps in (
            (without_code, method.denoiser.features_and_noise(x_t, t)[1]),
            (with_code, predict(x_t, t[0])),
        ):
            errors_by_time[str(time)] = (clean_of(eps, x_t, abar) - images).square().mean().item()
    return {
        "variance of a pixel": images.var(0).mean().item(),
        "without the code": without_code,
        "with the code": with_code,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="rooms")
    parser.add_argument("--denoiser-images", type=int, default=15_000)
    parser.add_argument("--images", type=int, default=4_800, help="that PDAE sees, 16 to a step")
    parser.add_argument("--count", type=int, default=256, help="images that errors are taken over")
    parser.add_argument("--threads", type=int, default=0, help="of training; 0 is auto")
    parser.add_argument("--out", type=Path, default=Path("runs/diti-presets"))
    options = parser.parse_args()
    common = [f"data={options.data}", *([f"training.threads={options.threads}"] if options.threads else [])]
    denoisers = {prediction: options.out / f"denoiser-{prediction}" for prediction in PREDICTIONS}
    for prediction, run_dir in denoisers.items():
        budget = [f"training.images={options.denoiser_images}", f"method.prediction={prediction}"]
        train("denoiser", [*common, *budget], run_dir)
    commit_at_start, records = commit(), []
    for name, (prediction, weight, field) in ARMS.items():
        run_dir = options.out / f"pdae-{prediction}-{weight}"
        budget = [f"training.images={options.images}", "training.average=0.98", f"method.weight={weight}"]
        words = [*common, *budget, f"method.field={field}", f"foundation.denoiser.from={denoisers[prediction]}"]
        run_record = train("pdae", words, run_dir)
        made_on = {key: run_record[key] for key in ("device", "threads", "precision", "seconds", "images")}
        records.append(
            {
                "arm": name,
                "command": sys.argv,
                "commit": commit_at_start,
                **made_on,
                **errors(Run(run_dir), options.count),
            }
        )
        print(json.dumps(records[-1]), file=sys.stderr)
    print(json.dumps(records, indent=2))


if __name__ == "__main__":
    main()
