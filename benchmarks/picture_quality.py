"""How good are the pictures that runs draw: rebuilt from their units alone, and from units of different images?

    python benchmarks/picture_quality.py RUN RUN ...

Rebuilt: images of the run's data drawn again from their own units, x_T of a seed. Recombined: every unit from another
random image, so that nothing is copied; where factors are independent, the pictures should be like the data's. They are
compared with other images of the data by the kernel distance over their pixels averaged to 8 x 8 (no KID: no
Inception). Beside it that distance between real images and real images, and between real and single-coloured ones.
DDIM, 50 steps, eta 0, averaged weights. Prints JSON.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from running import commit

from unweave.devices import best_device
from unweave.editing.decoding import decode
from unweave.editing.start import make_start
from unweave.evaluation.metrics.image.kernel_distance import kernel_distance
from unweave.evaluation.metrics.image.mse import mse
from unweave.evaluation.metrics.image.ssim import ssim
from unweave.method import Generative, Sampling, evaluating
from unweave.runs.codes import encode_images
from unweave.runs.run import Run
from unweave.tensors import to_images, to_pixels
from unweave.training.record import processor_name

SAMPLING = Sampling("ddim", 50)


def average_to_8x8(images: np.ndarray) -> np.ndarray:
    """[rows, height, width, channel] uint8 -> pixels in [0, 1], averaged to 8 x 8, [rows, 64 channel]."""
    rows, height, width, channels = images.shape
    blocks = images.reshape(rows, 8, height // 8, 8, width // 8, channels).mean((2, 4))
    return blocks.reshape(rows, -1) / 255


def measure(run: Run, count: int) -> dict[str, Any]:
    data, method = run.dataset(), run.method()
    assert isinstance(method, Generative)
    rows = np.random.default_rng(5).choice(len(data), 3 * count, replace=False)
    real, other, more = (np.asarray(data.images(part)) for part in np.split(rows, 3))
    images = to_images(real, best_device())
    start = make_start(method, images, sampling=SAMPLING, seed=0)
    rng = torch.Generator().manual_seed(1)
    with evaluating(method):
        units = encode_images(method, images, 64)
        mixed = torch.stack([units[torch.randperm(count, generator=rng), j] for j in range(units.shape[1])], 1)
        rebuilt, recombined = (
            to_pixels(decode(method, code, start, sampling=SAMPLING, batch=64)) for code in (units, mixed)
        )
    flat = np.broadcast_to(other.mean((1, 2), keepdims=True), other.shape).astype(np.uint8)

    def distance(pictures: np.ndarray) -> float:
        return kernel_distance(other, pictures, average_to_8x8, subsets=20, size=count // 2)["kernel_distance"]

    return {
        "mse of rebuilt": mse(real, rebuilt)["mse"],
        "ssim of rebuilt": ssim(real, rebuilt, data_range=255)["ssim"],
        "kernel distance of rebuilt": distance(rebuilt),
        "kernel distance of recombined": distance(recombined),
        "kernel distance of real": distance(more),
        "kernel distance of single colours": distance(flat),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=256, help="images")
    options = parser.parse_args()
    results = []
    for path in options.runs:
        run = Run(path)
        results.append({"run": str(path), "images": run.state()["seen"], **measure(run, options.count)})
    about = {
        "command": sys.argv,
        "commit": commit(),
        "cpu": processor_name(),
        "count": options.count,
        "sampling": SAMPLING._asdict(),
    }
    print(json.dumps({**about, "runs": results}, indent=2))


if __name__ == "__main__":
    main()
