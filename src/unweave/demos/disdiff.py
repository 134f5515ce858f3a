"""Where factors add and each draws a curve that bends out of what a unit holds linearly, a sum of fields, one for each
unit, gives every factor a unit of its own; one field of all units leaves them mixed, however well it rebuilds.

Yang, Wang, Lu, Zheng, "DisDiff: unsupervised disentanglement of diffusion probabilistic models", NeurIPS 2023,
arXiv:2301.13721. The terms and what they deviate in: `DisDiff` in methods/disdiff.py.

A picture of 8 x 8 pixels has three lanes with a dot in each: it is a sum of what three factors draw, as fields are
summed, and a dot that moves draws a curve through six directions of pictures. A denoiser of dense layers is trained on
all 512 pictures and frozen. On it stand, from the same weights:

- the method: a field for each unit, and the paper's two terms, which ask that the field of a unit moves this unit alone
- the control: one field, which sees all units; there is nothing to split, so it has no terms
- the sum of fields without the two terms (weight 0), and with the terms in our form (`separating`)
- PCA + ICA: at most six principal components turned by ICA. The lanes share no pixel, so that it finds them as well.

`swap entropy score` is DCI's disentanglement of what swaps change: 1 where each unit changes one factor alone, 0 where
all change all. `rebuilt`: the share of factors that come back to within one of eight levels, drawn from the code.

Why a sum can be enough: at late times the noisy picture says little, so that each field is nearly a function of its
unit, and functions of one unit each of a code that mixes factors do not add up to the right pictures, unless the
factors' curves lie in so few directions that units hold them linearly. (A related theorem, for decoders that are sums:
Lachapelle et al., "Additive decoders for latent variables identification and Cartesian-product extrapolation", NeurIPS
2023, arXiv:2307.02598.) A lane's curve has six directions and a unit two numbers. A shade's line has one, a hue's
circle two: there a turned code adds up as well (docs/disdiff.md, benchmarks/records/disdiff.md).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from PIL import Image

from unweave import progress
from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.demos._regions import (
    SAMPLING,
    DenseDenoiser,
    DenseFields,
    FactorPictures,
    JointField,
    components,
    lanes,
    measure,
    train_denoiser,
    train_disdiff,
)
from unweave.demos._side_by_side import side_by_side
from unweave.figures.grid import grid
from unweave.method import evaluating
from unweave.methods.disdiff import SEPARATING, DisDiff

DENOISER_IMAGES, IMAGES = 384_000, 128_000  # seen in a training, counted with repeats
SMALL = 2  # the small form sees a half
OURS: dict[str, Any] = {**SEPARATING, "units": 3, "dim": 2}
ONE_FIELD, METHOD = "one field", "a field for each unit"
ARMS: dict[str, dict[str, Any]] = {
    ONE_FIELD: {**OURS, "weight": 0.0},
    METHOD: {**OURS, "distances": "raw", "purify": 0.0},
    "the same, weight 0": {**OURS, "weight": 0.0},
    "the same, `separating`": OURS,
}


def run(seed: int, small: bool) -> Outcome:
    pictures, share = lanes(), SMALL if small else 1
    progress.message("the frozen denoiser is trained first")
    denoiser = train_denoiser(pictures, seed, DENOISER_IMAGES // share)
    arms = (ONE_FIELD, METHOD) if small else tuple(ARMS)
    train = partial(train_and_measure, denoiser=denoiser, seed=seed, images=IMAGES // share)
    found = side_by_side(train, arms, "training DisDiff", workers=1 if small else 2)
    methods = {name: method for name, (method, _) in found.items()}
    facts = {name: result for name, (_, result) in found.items()}
    control, measured = facts.pop(ONE_FIELD), facts.pop(METHOD)
    return Outcome(measured, control, picture(methods, pictures), {**facts, "PCA + ICA": components(pictures, seed)})


def train_and_measure(arm: str, denoiser: DenseDenoiser, seed: int, images: int) -> tuple[DisDiff, dict[str, float]]:
    pictures, fields = lanes(), JointField if arm == ONE_FIELD else DenseFields
    method = train_disdiff(pictures, denoiser, ARMS[arm], seed, images, fields)
    return method, measure(method, pictures, seed)


def picture(methods: Mapping[str, DisDiff], pictures: FactorPictures) -> Image.Image:
    """Each unit in turn taken from a partner, by every method from the same start."""
    rows = torch.randperm(len(pictures.images), generator=torch.Generator().manual_seed(0))[:16]
    images, partners = pictures.images[rows].chunk(2)
    sheet, labels = [images, partners], ["image", "partner"]
    for name, method in methods.items():
        with evaluating(method):
            codes, others = method.encode(images), method.encode(partners)
            start = method.start(len(images), torch.Generator().manual_seed(0))
            for unit in range(codes.shape[1]):
                swapped = codes.clone()
                swapped[:, unit] = others[:, unit]
                sheet.append(method.decode(swapped, start, SAMPLING))
                labels.append(f"{name}: unit {unit} of the partner")
    return grid(sheet, labels, title="One unit taken from the partner", scale=6)


def holds(measured: Measurements, control: Measurements) -> bool:
    d, swaps = "DCI disentanglement", "swap entropy score"
    apart = measured[d] >= control[d] + 0.5 and measured[swaps] >= control[swaps] + 0.3
    return apart and min(measured["rebuilt"], control["rebuilt"]) >= 0.9


DEMO = Demonstration(
    paper="Yang, Wang, Lu & Zheng, DisDiff: Unsupervised Disentanglement of Diffusion Models, NeurIPS 2023",
    control="one field of all units together in place of a field for each",
    run=run,
    holds=holds,
)
