"""How far an edit at full size is from the true edited picture: rooms drawn at 128 pixels.

    python benchmarks/full_size.py

Of 32 pairs of rooms that differ in one factor, the first is edited to be the second. `exact` has the true pictures of
32 and of 64 pixels in the place of a model's; `builtin:rooms`, a model of 64, takes from the second the factor with
which it comes nearest. Errors are mean squares, pixels in [0, 1], times 10,000: of the first picture as it is, of the
edited one enlarged, and of the change on the original.
"""

import argparse
import json

import numpy as np
import torch

from unweave.data.open import open_data
from unweave.data.sets.rooms import GRID, Rooms, render
from unweave.editing.full_size import at_full_size
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_each
from unweave.method import Sampling
from unweave.runs.factors import read_factors
from unweave.runs.run import Run
from unweave.tensors import to_images

PAIRS, LARGE, SIZES = 32, 128, (32, 64)
SAMPLING = Sampling("dpmsolver++", 10)


def pairs_of(factor: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows that differ in this factor alone."""
    first = np.stack([rng.integers(0, size, PAIRS) for size in GRID.sizes], 1)
    second = first.copy()
    second[:, factor] = (first[:, factor] + rng.integers(1, GRID.sizes[factor], PAIRS)) % GRID.sizes[factor]
    return GRID.index(first), GRID.index(second)


def errors(before: np.ndarray, truth: np.ndarray, rebuilt: torch.Tensor, edited: torch.Tensor) -> dict[str, float]:
    """Of the three pictures against the truth."""

    def error(pixels: np.ndarray, true: np.ndarray) -> float:
        return float(np.square(pixels.astype(float) - true).mean() / 255**2)

    rows = []
    for picture, true, one, other in zip(before, truth, rebuilt, edited):
        (full,) = at_full_size(picture, one, other[None], "crop")
        rows.append([error(pixels, true) for pixels in (picture, full.enlarged, full.on_original)])
    return {
        name: round(1e4 * value, 1)
        for name, value in zip(("unedited", "enlarged", "on the original"), np.mean(rows, axis=0))
    }


def main() -> None:
    large = Rooms(render(LARGE))
    small = {size: open_data({"name": "rooms", "size": size}) for size in SIZES}
    run = Run("builtin:rooms")
    method, found, side = run.method(), read_factors(run), run.shape()[1]
    assert found is not None
    groups = [list(factor.units) for factor in found.factors]
    for number, name in enumerate(GRID.names):
        first, second = pairs_of(number, np.random.default_rng(number))
        before, truth = large.images(first), large.images(second)
        pictures = {size: [to_images(small[size].images(rows)) for rows in (first, second)] for size in SIZES}
        line = {"factor": name, **{f"exact, {size}": errors(before, truth, *pictures[size]) for size in SIZES}}
        one, other = pictures[side]
        start = make_start(method, one, sampling=SAMPLING, seed=None)
        rebuilt = reconstruct_images(method, one, sampling=SAMPLING, start=start)
        edited = swap_each(method, one, other, groups, sampling=SAMPLING, start=start)
        best = int((edited - other[:, None]).square().mean((0, 2, 3, 4)).argmin())
        line["builtin:rooms"] = {"by": f"f{best + 1}", **errors(before, truth, rebuilt, edited[:, best])}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    main()
