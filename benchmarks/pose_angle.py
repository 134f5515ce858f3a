"""Is the angle's unit the angle? Judged within each shape, modulo what turns leave the shape as it is.

    unweave train posevae data=dsprites_grid46k.npz data.size=32 training.images=100000 --run runs/pose
    python benchmarks/pose_angle.py runs/pose

For `posevae` on the grid of dSprites, whose file has the true angles (`latents_values`). A square looks the same after
a quarter of a turn and an ellipse after half of one, so that nothing that sees pictures can tell their angles but
modulo these; what the unit calls 0 is its own for each shape, and so is the sense in which it turns for all of them.
For each shape and its symmetry k, over all pictures of it:

- `agreement`: |mean of exp(i k (unit - truth))|, 1 where the unit is the angle up to a constant, 0 by chance
- `error`: mean distance of unit and truth modulo 360 / k, less the constant, in degrees; by chance 90 / k
- `as labelled`: the agreement with k = 1, the labels as they are
- `across scales` and `across places`: the least agreement among the pictures of one scale, and of one quarter of the
  places, with the constant of all of them: less than `agreement` where the unit means another thing there
- `in the content`: R² of the angle's cosine and sine (of k times the angle) from the content, linear, on the half of
  the pictures that it was not fitted on: what is left of the angle where it should not be
JSON to stdout.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from running import commit
from sklearn.linear_model import LinearRegression

from unweave.runs.codes import encode_rows
from unweave.runs.run import Run

SYMMETRY = {"square": 4, "ellipse": 2, "heart": 1}  # in the order of the factor `shape`


def angle_scores(unit: np.ndarray, truth: np.ndarray, symmetry: int) -> dict[str, float]:
    """Agreement and error in degrees of angles in radians, modulo 2 pi / symmetry and up to a constant."""
    turned = np.exp(1j * symmetry * (unit - truth))
    mean = turned.mean()
    apart = np.abs(np.angle(turned * np.conj(mean))) / symmetry
    return {"agreement": float(abs(mean)), "error": float(np.degrees(apart.mean()))}


def least_agreement(unit: np.ndarray, truth: np.ndarray, symmetry: int, groups: np.ndarray) -> float:
    """Of any group with the constant of all, which is no more than 1 and may be below 0."""
    turned = np.exp(1j * symmetry * (unit - truth))
    along = (turned * np.conj(turned.mean())).real / max(abs(turned.mean()), 1e-12)
    return float(min(along[groups == group].mean() for group in np.unique(groups)))


def left_in(content: np.ndarray, truth: np.ndarray, symmetry: int) -> float:
    """R² of the circle's point from the content, on rows that were held out."""
    circle = np.stack([np.cos(symmetry * truth), np.sin(symmetry * truth)], 1)
    order = np.random.default_rng(0).permutation(len(truth))
    fitted, tested = np.array_split(order, 2)
    return float(LinearRegression().fit(content[fitted], circle[fitted]).score(content[tested], circle[tested]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--weights", choices=["raw", "averaged"], default="averaged")
    options = parser.parse_args()
    run = Run(options.run)
    if run.settings.method.model_dump().get("symmetry") != 1:
        raise SystemExit(f"{run.path} is no run of posevae with method.symmetry=1: its unit is another angle.")
    data = run.dataset()
    with np.load(run.settings.data.model_dump()["path"]) as file:
        values, factors = file["latents_values"], file["factors"]
    shape, scale, orientation, *place = factors.T
    truth = values[:, 2]
    numbers = encode_rows(run.method(options.weights), data, np.arange(len(data)))[..., 0].astype(np.float64)
    unit, content = np.arctan2(numbers[:, 1], numbers[:, 0]), numbers[:, 4:]
    senses = {sense: np.mean([
        angle_scores(sense * unit[shape == number], truth[shape == number], k)["agreement"]
        for number, k in enumerate(SYMMETRY.values())
    ]) for sense in (1, -1)}  # fmt: skip
    unit = max(senses, key=lambda sense: senses[sense]) * unit
    quarter = sum((axis >= (axis.max() + 1) // 2) * weight for axis, weight in zip(place, (1, 2)))
    shapes = {}
    for number, (name, k) in enumerate(SYMMETRY.items()):
        of, true = unit[shape == number], truth[shape == number]
        found = angle_scores(of, true, k)
        shapes[name] = {
            "symmetry": k,
            "pictures": len(of),
            **found,
            "as labelled": angle_scores(of, true, 1)["agreement"],
            "across scales": least_agreement(of, true, k, scale[shape == number]),
            "across places": least_agreement(of, true, k, quarter[shape == number]),
            "in the content": left_in(content[shape == number], true, k),
        }
        shapes[name] = {key: round(value, 3) for key, value in shapes[name].items()}
    about = {"commit": commit(), "images": run.settings.training.images, "seed": run.settings.training.seed}
    print(json.dumps({**about, "levels": len(np.unique(orientation)), "shapes": shapes}, indent=2))


if __name__ == "__main__":
    main()
