"""EncDiff in a training loop of your own: what a method is, without unweave's loop, runs and command line.

    python examples/own_loop.py          a minute on two cores; writes swap.png

A method's players hold parameters and an objective, `module(batch, rng) -> Loss`. Yours are the optimiser and the data.
"""

import os
from pathlib import Path

import numpy as np
import torch

from unweave.data.open import open_data
from unweave.editing.swap import swap_units
from unweave.figures.grid import tiles
from unweave.figures.save import save_picture
from unweave.method import Batch, Sampling, evaluating
from unweave.methods import encdiff
from unweave.models.foundation import Foundation
from unweave.tensors import to_images, to_pixels

IMAGES = int(os.environ.get("UNWEAVE_EXAMPLE_IMAGES", "16000"))
BATCH = 32


def main() -> None:
    torch.manual_seed(0)
    dataset = open_data({"name": "rooms", "size": 32})
    settings = encdiff.EncDiffSettings(**encdiff.PRESETS["laptop"]["method"])
    method = encdiff.build(settings, Foundation(dataset.shape, len(dataset)))
    (player,) = method.players()
    optimiser = torch.optim.AdamW(player.parameters, lr=1e-3)
    order, noise = np.random.default_rng(0), torch.Generator().manual_seed(0)
    for seen in range(0, IMAGES, BATCH):
        rows = order.integers(0, len(dataset), BATCH)
        batch = Batch(to_images(dataset.images(rows)), torch.from_numpy(rows), seen)
        loss = player.module(batch, noise)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        if seen % (50 * BATCH) == 0:
            print(f"{seen:6d} images  loss {loss.total.item():.3f}")
    images = to_images(dataset.images(np.array([0, 100_000, 1_000, 300_000])))
    sampling = Sampling("dpmsolver++", 10)
    with evaluating(method):
        start = method.start(2, torch.Generator().manual_seed(0))
        swapped = swap_units(method, images[:2], images[2:], [0, 1, 2], sampling=sampling, start=start)
    pictures = to_pixels(torch.cat([images, swapped]))
    names = ["image", "image", "partner", "partner", "units 0 to 2 swapped", "units 0 to 2 swapped"]
    save_picture(tiles(pictures, names, columns=2), Path("swap.png"), overwrite=True)
    print("swap.png")


if __name__ == "__main__":
    main()
