"""Writes a set of images with factors (.npz) as a folder in CelebA's own layout, split by one of its factors.

    python benchmarks/celeba_layout.py cmu_faces.npz faces --by person
    unweave train diti data=celeba data.path=faces data.crop=centre data.size=32
    unweave probe RUN --published

Every class of a factor becomes an attribute of yes and no (one attribute where there are two classes); the factor that
splits the set becomes none, so that nobody is in two splits. For sets that have no CelebA at hand, and for tests.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image


def attributes(factors: np.ndarray, names: list[str], values: list[list[str]], by: str) -> dict[str, np.ndarray]:
    """The signs, -1 or 1 for each image, by the name of the attribute."""
    signs = {}
    for column, name in enumerate(names):
        if name == by:
            continue
        classes = values[column]
        for number, value in enumerate(classes):
            if len(classes) == 2 and number == 0:
                continue
            signs[f"{name}_{value}".replace(" ", "_")] = np.where(factors[:, column] == number, 1, -1)
    return signs


def write(source: Path, target: Path, by: str) -> None:
    """The folder. Raises FileExistsError where it is there, LookupError for a factor that is not."""
    with np.load(source, allow_pickle=False) as stored:
        images, factors = stored["images"], stored["factors"]
        names = [str(name) for name in stored["factor_names"]]
        if "value_names" in stored:
            values = [json.loads(str(line)) for line in stored["value_names"]]
        else:
            values = [[]] * len(names)
    if by not in names:
        raise LookupError(f"{source} has no factor {by!r}; it has: {', '.join(names)}.")
    counts = factors.max(0) + 1
    values = [
        value_names if len(value_names) == count else list(map(str, range(count)))
        for value_names, count in zip(values, counts)
    ]
    groups = np.random.default_rng(0).permutation(counts[names.index(by)])
    train, valid = int(0.6 * len(groups)), int(0.8 * len(groups))
    part = np.full(len(groups), 2)
    part[groups[:train]], part[groups[train:valid]] = 0, 1
    signs = attributes(factors, names, values, by)
    (target / "img_align_celeba").mkdir(parents=True)
    lines, split = [str(len(images)), " ".join(signs)], []
    for row, image in enumerate(images):
        name = f"{row + 1:06d}.png"
        Image.fromarray(image.squeeze()).convert("RGB").save(target / "img_align_celeba" / name)
        lines.append(f"{name} " + " ".join(str(column[row]) for column in signs.values()))
        split.append(f"{name} {part[factors[row, names.index(by)]]}")
    (target / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    (target / "list_eval_partition.txt").write_text("\n".join(split) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="an .npz with images, factors and factor_names")
    parser.add_argument("target", type=Path, help="the folder to write")
    parser.add_argument("--by", required=True, help="the factor that splits the set, such as person")
    options = parser.parse_args()
    write(options.source, options.target, options.by)
