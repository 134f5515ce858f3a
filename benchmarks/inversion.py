"""How well do pictures come back: from the code alone, and from their inverted x_T over numbers of steps?

    python benchmarks/inversion.py RUN RUN ...

A study scores codes; this asks the sampler of a run with a diffusion model. Mean squared error of pixels in [0, 1] of
64 images drawn with 50 steps of DDIM, from the code alone (x_T of a seed) and from the inverted x_T; then PSNR in dB
(data range [0, 1]) of 16 images rebuilt from their inverted x_T by ddim, of first order, and dpmsolver++, of second.
Prints JSON.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from running import commit

from unweave.devices import best_device
from unweave.editing.start import make_start
from unweave.evaluation.run_editor import RunEditor
from unweave.method import Sampling, evaluating
from unweave.runs.codes import check_generative
from unweave.runs.run import Run
from unweave.tensors import to_images

STEPS = (20, 50, 100, 200)


def errors(run: Run, count: int = 64) -> dict[str, float]:
    """Mean squared error of pixels in [0, 1], from the code alone and from the inverted x_T."""
    data = run.dataset()
    rows = np.random.default_rng(1).choice(len(data), count, replace=False)
    editor = RunEditor(check_generative(run.method()), data, Sampling("ddim", 50), seed=0)
    images = editor.images(rows)
    rebuilt = {
        "mse of the code alone": editor.reconstruct(rows),
        "mse of inverted x_T": replace(editor, seed=None).reconstruct(rows),
    }
    return {name: ((back - images) / 2).square().mean().item() for name, back in rebuilt.items()}


def inversion(run: Run, count: int = 16) -> list[dict[str, Any]]:
    """PSNR of images rebuilt from their inverted x_T.

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
            psnr = (-10 * torch.log10(errors_of_images)).mean().item()
            measured.append({"steps": steps, "sampler": sampler, "psnr": psnr, "std of x_T": start.std().item()})
            print(json.dumps(measured[-1]), file=sys.stderr)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    options = parser.parse_args()
    records = {str(path): {"errors": errors(Run(path)), "inversion": inversion(Run(path))} for path in options.runs}
    print(json.dumps({"command": sys.argv, "commit": commit(), "runs": records}, indent=1))


if __name__ == "__main__":
    main()
