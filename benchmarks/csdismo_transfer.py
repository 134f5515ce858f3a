"""Content of one image with the style of another, on a set whose grid of factors is complete: how far off it is.

    python benchmarks/csdismo_transfer.py --data lpc_sprites.npz --content action direction --out runs/csdismo

Written down before training: which factors are content (--content) and that all others are style. The transfer error
T is the mean squared error, pixels in [0, 1], between G(content of a, style of b), by the encoders' codes, and the
image that has a's content factors and b's others, over --pairs random pairs of images that differ in both. Beside it
the same error of: G(content of b, style of a), smaller where the codes took the other roles; the copied images, the
mean image, the mean of the right content, that of the right style, and the additive oracle (mean of the content + mean
of the style - mean), which labels make. Runs go on where they stopped; JSON to stdout.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from running import commit, train

from unweave.data.dataset import Dataset
from unweave.method import Sampling, evaluating
from unweave.runs.codes import check_generative
from unweave.runs.run import Run
from unweave.tensors import to_images


def errors(run: Run, content: list[str], pairs: int) -> dict[str, float]:
    """T of a run and of the references."""
    data = run.dataset()
    a, b, target = pairs_of(data, content, pairs)
    pixels = data.images(np.arange(len(data))).astype(np.float32) / 255
    by_content, by_style = (means(pixels, groups) for groups in groups_of(data, content))
    truth, mean = pixels[target], pixels.mean(0)
    method = check_generative(run.method("raw"))
    made, exchanged = [], []
    with evaluating(method):
        for rows in np.array_split(np.arange(pairs), max(1, pairs // 250)):
            of_a, of_b = (method.encode(to_images(data.images(part[rows]), torch.device("cpu"))) for part in (a, b))
            for content_of, style_of, into in ((of_a, of_b, made), (of_b, of_a, exchanged)):
                units = torch.stack([content_of[:, 0], style_of[:, 1]], 1)
                into.append(method.decode(units, None, Sampling()).permute(0, 2, 3, 1).numpy() / 2 + 0.5)
    guesses: dict[str, Any] = {
        "T": np.concatenate(made),
        "roles exchanged": np.concatenate(exchanged),
        "copied style image": pixels[b],
        "copied content image": pixels[a],
        "mean image": mean,
        "mean of the content": by_content[target],
        "mean of the style": by_style[target],
        "additive oracle": by_content[target] + by_style[target] - mean,
    }
    return {name: float(np.square(guess - truth).mean()) for name, guess in guesses.items()}


def groups_of(data: Dataset, content: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The number of the combination of content factors, and of the others, of each row."""
    factors = data.factors(np.arange(len(data)))
    assert factors is not None
    inside = np.array([name in content for name in data.factor_names])
    assert inside.sum() == len(content), f"{data.name} has the factors {data.factor_names}"
    first, second = (np.unique(factors[:, part], axis=0, return_inverse=True)[1] for part in (inside, ~inside))
    return first.reshape(-1), second.reshape(-1)


def pairs_of(data: Dataset, content: list[str], pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a, of b, and of the image with a's content and b's style."""
    first, second = groups_of(data, content)
    row = np.full((first.max() + 1, second.max() + 1), -1)
    row[first, second] = np.arange(len(first))
    assert (row >= 0).all(), "the grid of factors is not complete"
    random = np.random.default_rng(0)
    a, b = random.integers(len(first), size=(2, 4 * pairs))
    both = (first[a] != first[b]) & (second[a] != second[b])
    a, b = a[both][:pairs], b[both][:pairs]
    return a, b, row[first[a], second[b]]


def means(pixels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """For each row, the mean image of its group."""
    sums = np.zeros((groups.max() + 1, *pixels.shape[1:]))
    np.add.at(sums, groups, pixels)
    return (sums / np.bincount(groups)[:, None, None, None])[groups].astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--content", nargs="+", required=True, help="factors that are content")
    parser.add_argument("--modules", nargs="+", default=["multiple", "concatenation"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=400_000)
    parser.add_argument("--settings", nargs="*", default=[], help="of every run, as method.content=12")
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=Path("runs/csdismo"))
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds:
        for module in arguments.modules:
            words = [*arguments.settings, f"data={arguments.data}", f"method.module={module}", f"training.seed={seed}"]
            words += [f"training.images={arguments.images}", f"method.encoders_after={arguments.images * 3 // 4}"]
            place = arguments.out / f"{Path(arguments.data).stem}-{module}-{seed}"
            record = train("csdismo", words, place)
            rows.append({"module": module, "seed": seed, "seconds": record["seconds"]})
            rows[-1] |= errors(Run(place), arguments.content, arguments.pairs)
            print(json.dumps(rows[-1]), flush=True)
    about = {"commit": commit(), "data": arguments.data, "images": arguments.images, "settings": arguments.settings}
    print(json.dumps({**about, "rows": rows}))


if __name__ == "__main__":
    main()
