"""What BYOL's views change, its code forgets: with views that turn hues or take colour away, a linear classifier reads
colour worse from the code, and shape, scale and orientation better.

Grill et al., "Bootstrap your own latent", NeurIPS 2020, arXiv:2006.07733; that the views decide what is kept is shown
by von Kuegelgen et al., "Self-supervised learning with data augmentations provably isolates content from style",
NeurIPS 2021, arXiv:2106.04619.

BYOL learns from pairs of views of one image, which its code must not tell apart. Here one network is trained twice on
small sprites, for as long: with small shifts, noise and changes of colour (the method), and with shifts and noise alone
(the control). A sprite has one hue on black, so that once hues are turned by any angle nothing in a view says which it
was. (The sky of `rooms` would: it is the same blue in every image, and what lies between it and a hue is not turned.)
The code has eight numbers, fewer than the learner's presets: in 64 what is forgotten grows faint, and can be read.

A linear classifier reads each factor from the frozen code, on images it has not seen. Its accuracy:

- `colour`: six classes, chance is 0.17;
- `geometry`: the mean of shape, scale and orientation (3, 4 and 2 classes; chance is 0.36).

This is invariance, and no disentanglement: nothing is said of which number of the code carries what. That geometry is
read better by a linear classifier does not mean that the control has lost it (benchmarks/records/contrastive.md).
"""

import tempfile
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import unweave
from unweave.data.dataset import Dataset
from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.figures.grid import grid
from unweave.method import Method
from unweave.methods._contrastive import Contrastive
from unweave.models.views import view
from unweave.runs.codes import encode_rows
from unweave.tensors import to_images

SPRITES = {"name": "sprites", "size": 16, "view": {"keep": {"x": [3, 4], "y": [3, 4], "orientation": [0, 4]}}}
PLAIN = {"crop": 1.0, "shift": 0.1, "noise": 0.05, "jitter": 0.0, "grey": 0.0}
COLOURS = {
    **PLAIN, "jitter": 1.0, "hue": 0.5, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "grey": 0.5,
}  # fmt: skip
GEOMETRY = ("shape", "scale", "orientation")


def run(seed: int, small: bool) -> Outcome:
    trained = {name: train(views, seed, small) for name, views in (("colours", COLOURS), ("plain", PLAIN))}
    dataset = unweave.open_data(SPRITES)
    rows = np.random.default_rng(seed).permutation(len(dataset))
    measured, control = (measure(method, dataset, rows) for method in trained.values())
    images = to_images(dataset.images(rows[:6]))
    drawn = [images]
    for method in trained.values():
        views = method.settings.views
        drawn += [view(images, views, torch.Generator().manual_seed(seed + i)) for i in range(2)]
    labels = ["image", "two views with colours", "", "two views without (control)", ""]
    return Outcome(measured, control, grid(drawn, labels, title="What each code is taught to ignore"))


def train(views: dict[str, Any], seed: int, small: bool) -> Contrastive:
    with tempfile.TemporaryDirectory() as folder:
        trained = unweave.train(
            "byol",
            data=SPRITES,
            method={"units": 8, "decay": 0.95, "views": views},
            training={
                "images": 4_000 if small else 32_000, "batch": 16, "rate": 2e-3, "weight_decay": 1.0, "warmup": 1_000,
                "seed": seed, "preview": 10**9,
            },
            run=f"{folder}/byol",
        ).method("raw")  # fmt: skip
    assert isinstance(trained, Contrastive)
    return trained


def measure(method: Method, dataset: Dataset, rows: np.ndarray) -> Measurements:
    """Accuracies of a linear classifier on each quarter of the images, fitted on the other three."""
    codes, factors = encode_rows(method, dataset, rows)[..., 0], dataset.factors(rows)
    assert factors is not None
    accuracy = {}
    for name, classes in zip(dataset.factor_names, factors.T):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
        accuracy[name] = float(cross_val_score(classifier, codes, classes, cv=4).mean())
    return {"colour": accuracy["colour"], "geometry": float(np.mean([accuracy[name] for name in GEOMETRY]))}


def holds(colours: Measurements, plain: Measurements) -> bool:
    return colours["colour"] <= plain["colour"] - 0.10 and colours["geometry"] >= plain["geometry"] + 0.08


DEMO = Demonstration(
    paper="Grill et al., Bootstrap your own latent, NeurIPS 2020; von Kuegelgen et al., NeurIPS 2021",
    control="the same network, images and budget, with views that leave colours alone",
    run=run,
    holds=holds,
)
