"""How few sampling steps does an edit need, and how long does it take?

    python benchmarks/edit_speed.py                    the model in the package, builtin:rooms
    python benchmarks/edit_speed.py RUN --images 64

One edit of one image is: encode it and its partner, find its x_T (inversion), take one unit from the partner, sample.
Timed one image at a time in a warm process, the median of the repeats. Errors are root mean squared differences of
pixels in [0, 1], over all images: of the edit from the same edit made with the finest steps of DDIM each way (200 are
asked for; a model that draws from its last 200 times alone takes every second of them, 100), and of the
unedited image, inverted and sampled, from the image. Two further rows: the sampling alone where x_T is kept, and all
units of one image at once. Prints JSON; --markdown prints a table.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from running import commit
from torch import Tensor

from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_each, swap_units
from unweave.method import Method, Sampling
from unweave.runs.codes import encode_images
from unweave.runs.run import Run
from unweave.tensors import to_images
from unweave.training.record import processor_name

REFERENCE = Sampling("ddim", 200, 0.0)
CANDIDATES = [("ddim", 50), ("ddim", 20), ("ddim", 10), ("ddim", 5), *(("dpmsolver++", n) for n in (50, 20, 10, 5, 3))]


def rms(images: Tensor, others: Tensor) -> float:
    """The root mean squared difference of pixels in [0, 1]."""
    return round(float(((images - others) / 2).square().mean().sqrt()), 5)


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    action()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return round(statistics.median(seconds), 4)


def edit_and_reconstruct(
    method: Method, images: Tensor, partners: Tensor, units: list[int], sampling: Sampling
) -> tuple[Tensor, Tensor]:
    """One edit per image, of one unit each, and the unedited images, both from the inverted x_T."""
    start = make_start(method, images, sampling=sampling, seed=None)
    edited = swap_each(
        method, images, partners, [[unit] for unit in units], sampling=sampling, start=start
    )  # (image, unit, ...)
    unit = torch.arange(len(images)) % len(units)
    return edited[torch.arange(len(images)), unit], reconstruct_images(method, images, sampling=sampling, start=start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", default="builtin:rooms")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    run = Run(options.run)
    method, data = run.method(device="cpu"), run.dataset()
    rows = np.random.default_rng(0).choice(len(data), 2 * options.images, replace=False)
    images = to_images(data.images(rows[: options.images]))
    partners = to_images(data.images(rows[options.images :]))
    with torch.inference_mode():
        spread = encode_images(method, images, 64).std(0).amax(-1)
    units = spread.argsort(descending=True)[:4].tolist()
    finest, _ = edit_and_reconstruct(method, images, partners, units, REFERENCE)
    image, partner = images[:1], partners[:1]
    results = []
    for sampler, steps in CANDIDATES:
        sampling = Sampling(sampler, steps, 0.0)
        edited, reconstructed = edit_and_reconstruct(method, images, partners, units, sampling)
        start = make_start(method, image, sampling=sampling, seed=None)

        def sample_only(start: Tensor = start, sampling: Sampling = sampling) -> object:
            return swap_units(method, image, partner, units[:1], sampling=sampling, start=start)

        def edit_one(sampling: Sampling = sampling) -> object:
            start = make_start(method, image, sampling=sampling, seed=None)
            return swap_units(method, image, partner, units[:1], sampling=sampling, start=start)

        def swap_all(start: Tensor = start, sampling: Sampling = sampling) -> object:
            return swap_each(
                method, image, partner, [[unit] for unit in range(len(spread))], sampling=sampling, start=start
            )

        results.append({
            "sampler": sampler,
            "steps": steps,
            "seconds_of_an_edit": median_seconds(edit_one, options.repeats),
            "seconds_with_x_T_kept": median_seconds(sample_only, options.repeats),
            "seconds_of_all_units": median_seconds(swap_all, 3),
            "error_against_finest": rms(edited, finest),
            "error_of_the_unedited_image": rms(reconstructed, images),
        })  # fmt: skip
    if options.markdown:
        print("| sampler, steps | an edit, s | x_T kept, s | all units, s | error to the finest | unedited image |")
        print("|---|--:|--:|--:|--:|--:|")
        for line in results:
            print("| {sampler} {steps} | {0} | {1} | {2} | {3} | {4} |".format(*list(line.values())[2:], **line))
        return
    about = {
        "command": sys.argv,
        "commit": commit(),
        "run": str(run.path),
        "size": list(images.shape[1:]),
        "units": units,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps({**about, "cpu": processor_name(), "images": len(images), "results": results}, indent=2))


if __name__ == "__main__":
    main()
