"""Pictures whose hues noise destroys one after another, a frozen model of them, and what slices of a code say of hues.

Pictures of 8 x 8 pixels with three hues of four each: of a dot, of the centre, of the ground. The larger the thing, the
later noise destroys its hue.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from unweave.demos._fit import BATCH, fit
from unweave.method import evaluating
from unweave.methods._guided import Guided
from unweave.models.attribute_loss import FactorLosses, attribute_loss
from unweave.models.diffusion.noising import alphas_bar, clean_of, scheduler_config
from unweave.models.diffusion.process import Process
from unweave.models.foundation import Foundation, FrozenDenoiser
from unweave.models.frozen_error import error_curve
from unweave.models.latents import PixelSpace
from unweave.models.pretraining.denoiser import Denoiser, DenoiserSettings
from unweave.tensors import Images, Times

NAMES = ("dot", "centre", "ground")
HUES = torch.tensor([[1.0, 1, -1], [1, -1, 1], [-1, 1, 1], [-1, -1, -1]])
ROWS, STEPS, SLICE = 16_384, 800, 4  # pictures; steps of the frozen model; numbers of the code in each of three slices
LOUDER = 49.0  # SNR at every time, over that of the linear schedule: the dot is half lost in the middle
TIMES = (*range(0, 1_000, 20), 999)
TRAINING: dict[str, Any] = {"betas": (0.9, 0.99), "clip": 1.0, "decay": "cosine", "warmup": 3_200}
HueNumbers = Int[Tensor, "picture factor"]


class SliceScores(NamedTuple):
    """Slices x factors."""

    swap: Float[np.ndarray, "slice factor"]
    noisy: Float[np.ndarray, "slice factor"]
    mean: Float[np.ndarray, "slice factor"]


def draw(classes: HueNumbers, rng: torch.Generator, noise: float = 1.0) -> Images:
    """Pictures in [-1, 1] with these hues, of slightly different shades, and `noise` of their pixels."""
    hues = HUES[classes]  # (picture, factor, colour)
    images = 0.457 * hues[:, 2, :, None, None].expand(-1, -1, 8, 8).clone()
    images[:, :, 2:5, 2:5] += 0.503 * hues[:, 1, :, None, None]
    images[:, :, 1, 6] += 0.366 * hues[:, 0]
    shade = 0.006 * torch.randn(len(images), 3, 1, 1, generator=rng)
    return images + noise * (shade + 0.0015 * torch.randn(images.shape, generator=rng))


def random_classes(count: int, rng: torch.Generator) -> HueNumbers:
    return torch.randint(4, (count, 3), generator=rng)


def pictures(rng: torch.Generator) -> Images:
    """A training set."""
    return draw(random_classes(ROWS, rng), rng)


def frozen_model(seed: int) -> Foundation:
    """A denoiser trained on such pictures, and what is measured of it."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    s = DenoiserSettings(
        channels=(32, 64), attention=(False, False), layers=1, heads=4, groups=8, schedule="linear", prediction="x0",
        loss="l2", weight="rising", weight_level=160,
    )  # fmt: skip
    denoiser, plain = Denoiser(s, Foundation((3, 8, 8), ROWS)), scheduler_config("linear", "x0")
    abar = LOUDER * (a := alphas_bar(plain).double()) / (1 - a + LOUDER * a)
    betas = 1 - abar / torch.cat([torch.ones(1), abar[:-1]])
    denoiser.process = Process({**plain, "trained_betas": betas.tolist()})
    fit(denoiser, pictures(rng), STEPS * BATCH, rng, rate=3e-3, **TRAINING)
    frozen = FrozenDenoiser(denoiser.unet, denoiser.process.config)
    error = error_curve(frozen, PixelSpace((3, 8, 8)), draw(random_classes(256, rng), rng), rng, TIMES)
    losses = FactorLosses(TIMES, {name: lost(frozen, i) for i, name in enumerate(NAMES)})
    return Foundation((3, 8, 8), ROWS, denoiser=frozen, error=error, losses=losses)


def lost(frozen: FrozenDenoiser, factor: int, pairs: int = 128) -> list[float]:
    """The attribute loss of a factor, from pairs of pictures that differ in it alone."""
    rng, abar = torch.Generator().manual_seed(1), frozen.process.abar
    first = random_classes(pairs, rng)
    second = first.clone()
    second[:, factor] = (second[:, factor] + torch.randint(1, 4, (pairs,), generator=rng)) % 4
    one, other = (draw(classes, torch.Generator().manual_seed(2)) for classes in (first, second))

    def rebuild(x_t: Images, t: Times) -> Images:
        return clean_of(frozen.features_and_noise(x_t, t)[1], x_t, abar[t])

    with torch.inference_mode():
        return attribute_loss(rebuild, one, other, abar, TIMES, rng)


def measure(method: Guided, seed: int) -> SliceScores:
    rng = torch.Generator().manual_seed(1_000 + seed)
    classes = random_classes(3_000, rng)
    slices = [slice(i * SLICE, (i + 1) * SLICE) for i in range(3)]
    with evaluating(method):
        code = method.encode(draw(classes, rng))
        noisy = code + torch.randn(code.shape, generator=rng)
        swap = [swapped(method, code[:256], code[256:512], part, classes[:512], rng) for part in slices]
    probes = [[probe(c[:, part, 0].numpy(), classes.numpy()) for part in slices] for c in (noisy, code)]
    return SliceScores(*(np.array(table) for table in (swap, *probes)))


def swapped(
    method: Guided, own: Tensor, others: Tensor, part: slice, classes: HueNumbers, rng: torch.Generator
) -> list[float]:
    """How often each hue, if it differs, becomes the partner's; by the nearest picture of all hues of that factor."""
    mixed, first, second = own.clone(), classes[: len(own)], classes[len(own) :]
    mixed[:, part] = others[:, part]
    x_t, t = method.start(len(own), rng), torch.tensor(999)
    drawn = clean_of(method.predictor(mixed)(x_t, t), x_t, method.process.abar[t].expand(len(own)))
    shares = []
    for i in range(3):
        known = [first.index_fill(1, torch.tensor([i]), hue) for hue in range(4)]
        distances = torch.stack([(drawn - draw(c, rng, 0)).square().sum((1, 2, 3)) for c in known], 1)
        differs = first[:, i] != second[:, i]
        shares.append((distances.argmin(1) == second[:, i])[differs].float().mean().item())
    return shares


def probe(code: Float[np.ndarray, "row number"], classes: Int[np.ndarray, "row factor"]) -> list[float]:
    """Accuracy above chance for each factor, on the last third of the rows."""
    code, cut = (code - code.mean(0)) / (code.std(0) + 1e-8), 2 * len(code) // 3
    fitted = [LogisticRegression(max_iter=300).fit(code[:cut], column[:cut]) for column in classes.T]
    return [max(0.0, (f.score(code[cut:], c[cut:]) - 0.25) / 0.75) for f, c in zip(fitted, classes.T)]
