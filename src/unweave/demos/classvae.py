"""The letter becomes one discrete unit, and slant, weight and width have units of their own, once a VAE has a class.

Dupont, "Learning disentangled joint continuous and discrete representations" (JointVAE), NeurIPS 2018,
arXiv:1804.00104.

The data are `glyphs`: 26 letters, each in 8 slants, 5 weights of stroke and 6 widths. The control is the same VAE with
continuous units alone: its decoder has as many maps in all, and one unit more to mix them by. Measured:

- `letter`: normalised mutual information (over the arithmetic mean of the entropies) of the letter and the unit that
  tells most of it; a continuous unit in as many bins as there are letters, of as many rows each
- `slant`, `weight`, `width`: importance (DCI) of the unit that is most important for it, and 0 where that unit is
  another's or the one of `letter`
- `pixel error` of the rebuilt picture
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from scipy.stats import rankdata
from sklearn.metrics import normalized_mutual_info_score

from unweave.data.sets.glyphs import GRID, LETTERS, Glyphs
from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.demos._fit import fit
from unweave.evaluation.metrics.dci import predict_factors
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.figures.grid import grid
from unweave.method import Sampling, evaluating
from unweave.methods.classvae import ClassVAE, ClassVAESettings
from unweave.tensors import to_images
from unweave.types import FactorTable, Rows, UnitTable

SIDE = 32
IMAGES, SMALL_IMAGES = 60_000, 16_000  # seen in a training, counted with repeats
SMALL_LETTERS = 6  # the first ones
STYLE, MAPS = 2, 4
SHOWN = "ABCDE"


def train(letters: int, discrete: bool, seed: int, images: int, dataset: Glyphs) -> ClassVAE:
    torch.manual_seed(seed)
    if discrete:
        settings = ClassVAESettings(classes=letters, style=STYLE, maps=MAPS)
    else:
        settings = ClassVAESettings(classes=1, style=STYLE + 1, maps=MAPS * letters)
    method = ClassVAE(settings, dataset.shape)
    pictures = to_images(dataset.images(rows_of(letters)))
    fit(method, pictures, images, torch.Generator().manual_seed(seed))
    return method


def rows_of(letters: int) -> Rows:
    """The rows of the first letters."""
    return np.arange(letters * len(GRID) // len(LETTERS))


def measure(method: ClassVAE, letters: int, seed: int, dataset: Glyphs) -> dict[str, float]:
    rows = np.random.default_rng(seed).permutation(rows_of(letters))[:3_000]
    pictures, factors = to_images(dataset.images(rows)), GRID.factors(rows)
    with evaluating(method):
        units = torch.cat([method.encode(part) for part in pictures.split(250)])
        rebuilt = torch.cat([method.decode(part, None, Sampling()) for part in units.split(250)])
    numbers = units.squeeze(-1).numpy()
    told = [information(column, factors[:, 0], letters) for column in numbers.T]
    own = importances(numbers, factors)
    own[int(np.argmax(told))] = 0
    alone = [column.max() * (own[column.argmax()].argmax() == j) for j, column in enumerate(own.T)]
    return {
        "letter": max(told),
        **dict(zip(GRID.names[1:], map(float, alone))),
        "pixel error": (rebuilt - pictures).square().flatten(1).sum(1).mean().item() / 4,
    }


def information(column: Float[np.ndarray, "rows"], letter: Int[np.ndarray, "rows"], letters: int) -> float:
    """Of a unit and the letter."""
    values = np.unique(column, return_inverse=True)[1]
    if values.max() >= letters:
        values = (rankdata(column, "ordinal").astype(int) - 1) * letters // len(column)
    return float(normalized_mutual_info_score(letter, values))


def importances(numbers: UnitTable, factors: FactorTable) -> Float[np.ndarray, "units varied"]:
    """Of every unit for slant, weight and width."""
    half = len(numbers) // 2
    train, test = (Tables(numbers[part], factors[part, 1:]) for part in (slice(0, half), slice(half, None)))
    return predict_factors(train, test).importance


def run(seed: int, small: bool) -> Outcome:
    images, letters = (SMALL_IMAGES, SMALL_LETTERS) if small else (IMAGES, len(LETTERS))
    dataset = Glyphs(SIDE)
    methods = [train(letters, discrete, seed, images, dataset) for discrete in (True, False)]
    ours, control = (measure(method, letters, seed, dataset) for method in methods)
    return Outcome(ours, control, picture(methods[0], dataset))


def picture(method: ClassVAE, dataset: Glyphs) -> Image.Image:
    """Some letters, and each with its class alone set to that of others: slant, weight and width stay."""
    rng = np.random.default_rng(0)
    factors = np.stack([np.array([list(LETTERS).index(letter), *rng.integers(GRID.sizes[1:])]) for letter in SHOWN])
    images, rows = to_images(dataset.images(GRID.index(factors))), []
    with evaluating(method):
        units = method.encode(images)
        for image, own in zip(images, units):
            others = own.repeat(len(SHOWN), 1, 1)
            others[:, 0] = units[:, 0]
            rows.append(torch.cat([image[None], method.decode(others, None, Sampling())]))
    columns = ["picture", *(f"as {letter}" for letter in SHOWN)]
    return grid(rows, list(SHOWN), columns, title="A letter, and the same with another class")


def holds(measured: Measurements, control: Measurements) -> bool:
    own = min(measured[name] for name in GRID.names[1:])
    return measured["letter"] >= 0.8 and own >= 0.4 and control["letter"] < 0.75 * measured["letter"]


DEMO = Demonstration(
    paper="Dupont, Learning Disentangled Joint Continuous and Discrete Representations, NeurIPS 2018",
    control="the same pictures, seed and networks; one class, and as many maps, mixed by one continuous unit more",
    run=run,
    holds=holds,
)
