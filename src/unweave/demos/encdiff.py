"""A network that draws images from concept tokens by cross-attention separates the factors of small sprites better
where it learns to take noise away than where it draws them in one pass.

Yang, Lan, Lu, Zheng, "Diffusion model with cross attention as an inductive bias for disentanglement", NeurIPS 2024,
arXiv:2402.09712: no term of the loss asks for separate factors. The bias is that each image becomes a set of tokens,
that the U-Net sees them by cross-attention alone, and that it denoises, which asks for other parts of an image at other
times. The control has the same encoder, tokens, U-Net, images and steps, and draws the image from a learnt constant, so
that only the diffusion is missing (the paper's ablation).

36,864 sprites of 32 x 32 pixels with six factors (shape, scale, orientation, two places, colour), preset `laptop` with
batches of 64, 20 units. Of each code:

- `disentanglement`, `completeness`: DCI (Eastwood & Williams, ICLR 2018) with boosted trees on 2,000 codes
- `informativeness`: the accuracy of those trees on 1,000 others

This is the beginning of a training, in which no code is disentangled yet: 0.7 and more take ten minutes
(benchmarks/records/laptop_preset.md). On other images the two networks may end alike: two such sets are in
benchmarks/records/fast_recipe.md.
"""

import tempfile

import numpy as np
from PIL import Image

import unweave
from unweave.data.dataset import Dataset
from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.editing.decoding import decode
from unweave.editing.start import make_start
from unweave.evaluation.protocols import PROTOCOLS, Evidence
from unweave.figures.grid import grid
from unweave.method import Generative, Sampling, evaluating
from unweave.runs.codes import encode_rows
from unweave.tensors import to_images

IMAGES = 20_032
SAMPLING = Sampling("dpmsolver++", 10)
SCORED = 3_000


def run(seed: int, small: bool) -> Outcome:
    method, control = (train(diffusion, seed) for diffusion in (True, False))  # fewer images than these do not tell
    dataset = unweave.open_data({"name": "sprites", "size": 32})
    rows = np.random.default_rng(seed).permutation(len(dataset))[:SCORED]
    measured, missing = (
        measure(encode_rows(each, dataset, rows)[..., 0], dataset, rows, seed) for each in (method, control)
    )
    return Outcome(measured, missing, draw(method, control, dataset, rows[:8], seed))


def train(diffusion: bool, seed: int) -> Generative:
    with tempfile.TemporaryDirectory() as folder:
        method = unweave.train(
            "encdiff",
            data={"name": "sprites", "size": 32},
            method={"diffusion": diffusion},
            training={
                "images": IMAGES, "batch": 64, "rate": 4.2e-3, "average": 0.99, "precision": "float32", "seed": seed,
                "preview": 10**9,
            },
            run=f"{folder}/encdiff",
        ).method()  # fmt: skip
    assert isinstance(method, Generative)
    return method


def measure(codes: np.ndarray, dataset: Dataset, rows: np.ndarray, seed: int) -> Measurements:
    factors = dataset.factors(rows)
    assert factors is not None
    scores = PROTOCOLS["dci-2k@1"].run(Evidence(codes, factors, codes), seed).scores
    return {name: scores[name] for name in ("disentanglement", "completeness", "informativeness")}


def draw(method: Generative, control: Generative, dataset: Dataset, rows: np.ndarray, seed: int) -> Image.Image:
    """Images, what each network makes of their tokens, and of those with one token of the next image."""
    images = to_images(dataset.images(rows))
    drawn, labels = [images], ["image"]
    for each, name in ((method, "EncDiff"), (control, "without diffusion")):
        with evaluating(each):
            units = each.encode(images)
            start = make_start(each, images, sampling=SAMPLING, seed=seed)
            loudest = units.std(0).mean(1).argsort(descending=True)[:2].tolist()
            variants = [units]
            for unit in loudest:
                swapped = units.clone()
                swapped[:, unit] = units.roll(-1, 0)[:, unit]
                variants.append(swapped)
            drawn += [decode(each, variant, start, sampling=SAMPLING, batch=8) for variant in variants]
        labels += [name, *(f"token {unit} of the next" for unit in loudest)]
    return grid(drawn, labels, title="Drawn from tokens, and with one token of the image to the right")


def holds(measured: Measurements, control: Measurements) -> bool:
    return measured["disentanglement"] >= control["disentanglement"] + 0.05


DEMO = Demonstration(
    paper="Yang, Lan, Lu, Zheng, Diffusion Model with Cross Attention as an Inductive Bias, NeurIPS 2024",
    control="the same network, images and steps, drawing from a learnt constant in one pass (diffusion=false)",
    run=run,
    holds=holds,
)
