"""DisDiff on 8 x 8 pictures with dense networks: pictures whose factors add, pictures whose factors do not, and scores.

For the demonstration (demos/disdiff.py) and for benchmarks/disdiff_regions.py.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from sklearn.decomposition import PCA
from torch import Tensor, nn

from unweave import manifold
from unweave.demos._fit import fit
from unweave.evaluation.metrics.dci import dci
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.method import Batch, Loss, Player, Sampling, Trainable, evaluating
from unweave.methods.disdiff import DisDiff, DisDiffSettings, Networks
from unweave.models.diffusion.noising import STEPS, clean_of, distance, noise_of, scheduler_config, target
from unweave.models.diffusion.process import Process
from unweave.models.latents import PixelSpace
from unweave.runs import reduction
from unweave.tensors import Images, Times, Units
from unweave.types import FactorTable

SHAPE = (3, 8, 8)
PIXELS = 3 * 8 * 8
LEVELS = 8  # of each of the three factors
WIDTH, TIME = 256, 64  # of the hidden layers, and of the embedding of the time
SAMPLING = Sampling("ddim", 12)


class FactorPictures(NamedTuple):
    """All combinations of three factors."""

    images: Images
    factors: FactorTable
    circular: bool = False  # the last level is beside the first

    def apart(self, one: FactorTable, other: FactorTable) -> FactorTable:
        """How many levels each factor is apart."""
        steps = np.abs(one - other)
        return np.minimum(steps, LEVELS - steps) if self.circular else steps


def combinations() -> FactorTable:
    return np.stack(np.meshgrid(*[np.arange(LEVELS)] * 3, indexing="ij"), -1).reshape(-1, 3)


def regions() -> FactorPictures:
    """Three areas, each with a shade of its own: a picture is a sum of what the three factors draw."""
    factors = combinations()
    left, above, below = (torch.linspace(-1, 1, LEVELS)[torch.from_numpy(factors).T]).view(3, -1, 1, 1, 1)
    zero, images = torch.zeros_like(left), torch.empty(len(factors), *SHAPE)
    images[:, :, :, :3] = torch.cat([left, zero, -left], 1)
    images[:, :, :4, 3:] = torch.cat([zero, above, -above], 1)
    images[:, :, 4:, 3:] = torch.cat([below, -below, zero], 1)
    return FactorPictures(images, factors)


def hues() -> FactorPictures:
    """The same areas, each with a hue: its colours lie on a circle."""
    factors = combinations()
    images = torch.empty(len(factors), *SHAPE)
    angle = torch.from_numpy(factors).float()[:, :, None] / LEVELS - torch.arange(3) / 3  # (picture, factor, channel)
    colours = (2 * math.pi * angle).cos()[..., None, None]
    for area, colour in zip(
        (images[:, :, :, :3], images[:, :, :4, 3:], images[:, :, 4:, 3:]), colours.unbind(1), strict=True
    ):
        area[:] = colour
    return FactorPictures(images, factors, circular=True)


def things() -> FactorPictures:
    """A thing on a background; its place and its colour do not add: no picture of a place is one of "this colour"."""
    factors = combinations()
    shade, place, colour = (torch.linspace(-1, 1, LEVELS)[torch.from_numpy(factors).T]).view(3, -1, 1, 1, 1)
    columns = torch.arange(8) + 0.5
    thing = (2 - (columns - (4 + 2.6 * place)).abs()).clamp(0, 1)
    paint = torch.cat([colour, torch.full_like(colour, -0.6), -colour], 1)
    images = (0.35 * shade).expand(-1, *SHAPE).clone()
    images[:, :, 2:6] = (images * (1 - thing) + paint * thing)[:, :, 2:6]
    return FactorPictures(images, factors)


def lanes() -> FactorPictures:
    """Three lanes, each with a dot at a place of its own: a sum of what three factors draw, and each draws a curve."""
    factors = combinations()
    place = 1 + 6 * torch.from_numpy(factors).float().T / (LEVELS - 1)
    images = -torch.ones(len(factors), *SHAPE)
    for rows, centre in zip((slice(0, 2), slice(3, 5), slice(6, 8)), place, strict=True):
        dot = (1.5 - (torch.arange(8) + 0.5 - centre[:, None]).abs()).clamp(0, 1)
        images[:, :, rows] = (2 * dot - 1)[:, None, None]
    return FactorPictures(images, factors)


class Features(NamedTuple):
    embedding: Float[Tensor, "batch time"]
    hidden: Float[Tensor, "batch hidden"]
    x_t: Float[Tensor, "batch pixel"]

    def repeated(self, times: int) -> "Features":
        """Every row `times` times in a row."""
        return Features(*(each.repeat_interleave(times, 0) for each in self))


class Modulated(nn.Module):
    """h + W silu((1 + s) norm(h) + b), scale and shift from a condition."""

    def __init__(self, condition: int) -> None:
        super().__init__()
        self.norm, self.layer = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)
        self.scale_shift = nn.Linear(condition, 2 * WIDTH)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.scale_shift(condition).chunk(2, 1)
        return h + self.layer(nn.functional.silu(self.norm(h) * (1 + scale) + shift))


class Head(nn.Module):
    """The second half of the denoiser, and of a field: features and a condition -> a picture, 0 at first."""

    def __init__(self, condition: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH + PIXELS, WIDTH), nn.Linear(WIDTH, PIXELS)
        self.layers = nn.ModuleList([Modulated(condition) for _ in range(2)])
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, features: Features, condition: Tensor) -> Images:
        h, condition = self.first(torch.cat([features.hidden, features.x_t], 1)), nn.functional.silu(condition)
        for layer in self.layers:
            h = layer(h, condition)
        return self.last(h).unflatten(1, SHAPE)


class DenseDenoiser(Trainable):
    """A denoiser that predicts v, of dense layers. Loss: the mean squared error of v."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(32, TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.pixels, self.layer, self.head = nn.Linear(PIXELS, WIDTH), Modulated(TIME), Head(TIME)
        self.process = Process(scheduler_config("cosine", "v"))

    def players(self) -> list[Player]:
        return [Player("denoiser", self, list(self.parameters()))]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        t, eps, x_t = self.process.noised(batch.images, rng)
        features = self.features(x_t, t)
        v = target("v", batch.images, eps, self.process.abar[t])
        error = distance("l2", self.head(features, features.embedding), v).mean()
        return Loss(error, {"denoising": error})

    def features(self, x_t: Images, t: Times) -> Features:
        angle = t[:, None] / STEPS * torch.logspace(0, math.log10(200), 16)
        embedding, flat = self.time(torch.cat([angle.sin(), angle.cos()], 1)), x_t.flatten(1)
        return Features(embedding, self.layer(self.pixels(flat), nn.functional.silu(embedding)), flat)

    def features_and_eps(self, x_t: Images, t: Times) -> tuple[Features, Images]:
        features = self.features(x_t, t)
        v = self.head(features, features.embedding)
        return features, noise_of("v_prediction", v, x_t, self.process.abar[t])

    @torch.no_grad()
    def features_and_noise(self, x_t: Images, t: Times) -> tuple[Features, Images]:
        return self.features_and_eps(x_t, t)

    def clean(self, x_t: Images, t: Times) -> Images:
        return clean_of(self.features_and_eps(x_t, t)[1], x_t, self.process.abar[t])


class DenseFields(nn.Module):
    """One network for the fields of all units, which are told apart by a learnt embedding."""

    def __init__(self, units: int, dim: int) -> None:
        super().__init__()
        self.head, self.condition = Head(2 * TIME), nn.Linear(dim, TIME)
        self.name = nn.Parameter(torch.randn(units, TIME) / 2)

    def forward(
        self, features: Features, units: Units, chosen: Sequence[int] | None = None
    ) -> Float[Tensor, "batch chosen channel height width"]:
        k = list(range(units.shape[1])) if chosen is None else list(chosen)
        times = (features.embedding.unsqueeze(1) + self.name[k]).flatten(0, 1)
        condition = torch.cat([times, self.condition(units[:, k]).flatten(0, 1)], 1)
        return self.head(features.repeated(len(k)), condition).unflatten(0, (len(units), len(k)))


class JointField(nn.Module):
    """One field of all units together, in place of a sum of one field each: what DisDiff is without its splitting."""

    def __init__(self, units: int, dim: int) -> None:
        super().__init__()
        self.head, self.condition = Head(2 * TIME), nn.Linear(units * dim, TIME)
        self.name = nn.Parameter(torch.randn(TIME) / 2)

    def forward(
        self, features: Features, units: Units, chosen: Sequence[int] | None = None
    ) -> Float[Tensor, "batch 1 channel height width"]:
        condition = torch.cat([features.embedding + self.name, self.condition(units.flatten(1))], 1)
        return self.head(features, condition).unsqueeze(1)


def dense_encoder(outputs: int) -> nn.Module:
    hidden = [nn.Linear(PIXELS, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(WIDTH, outputs))


def train_denoiser(pictures: FactorPictures, seed: int, images: int) -> DenseDenoiser:
    """A frozen denoiser of these pictures."""
    torch.manual_seed(seed)
    denoiser, rng = DenseDenoiser(), torch.Generator().manual_seed(seed)
    fit(denoiser, pictures.images, images, rng, rate=2e-3, warmup=6_400, decay="cosine", weight_decay=0.01)
    return denoiser.requires_grad_(False).eval()


def train_disdiff(
    pictures: FactorPictures,
    denoiser: DenseDenoiser,
    table: Mapping[str, Any],
    seed: int,
    images: int,
    fields: Callable[[int, int], nn.Module] = DenseFields,
) -> DisDiff:
    """DisDiff with dense networks on this denoiser; with `JointField` the weight of the two terms must be 0."""
    torch.manual_seed(100 + seed)
    s, rng = DisDiffSettings(**table), torch.Generator().manual_seed(100 + seed)
    encoder, twin = dense_encoder(s.units * s.dim), dense_encoder(s.units * s.dim)
    method = DisDiff(s, denoiser, PixelSpace(SHAPE), Networks(encoder, twin, fields(s.units, s.dim)))
    training: dict[str, Any] = {"rate": 3e-3, "betas": (0.9, 0.98), "warmup": 3_200, "clip": 1.0}
    fit(method, pictures.images, images, rng, batch=32, decay="cosine", weight_decay=0.01, **training)
    return method


def measure(method: DisDiff, pictures: FactorPictures, seed: int) -> dict[str, float]:
    """DCI's scores of the units' first principal components, and what swaps of one unit change.

    `swap entropy score`: the same number as DCI's disentanglement, from the mean change of each factor's level between
    a picture drawn from a code and the one drawn after a swap, both read off as the nearest picture there is.
    `rebuilt`: share of factors that come back to within one level.
    """
    rng, images, factors = np.random.default_rng(seed), pictures.images, pictures.factors
    a, b = (rng.permutation(len(images))[:256] for _ in range(2))
    with evaluating(method):
        codes = method.encode(images)
        units = codes.numpy()
        start = method.start(256, torch.Generator().manual_seed(seed))
        whole = read(method.decode(codes[a], start, SAMPLING), pictures)
        changes = []
        for k in range(units.shape[1]):
            swapped = codes[a].clone()
            swapped[:, k] = codes[b, k]
            changes.append(pictures.apart(read(method.decode(swapped, start, SAMPLING), pictures), whole).mean(0))
    return {
        **scores(reduction.apply(reduction.fit(units), units), factors),
        "swap entropy score": entropy_score(np.array(changes)),
        "rebuilt": float((pictures.apart(whole, factors[a]) <= 1).mean()),
    }


def read(drawn: Images, pictures: FactorPictures) -> FactorTable:
    """The factors of the nearest picture."""
    return pictures.factors[torch.cdist(drawn.flatten(1), pictures.images.flatten(1)).argmin(1).numpy()]


def entropy_score(changes: Float[np.ndarray, "unit factor"]) -> float:
    """Σ_k w_k (1 - H(changes_k) / log factors), w_k the share of all change that unit k makes: DCI's disentanglement,
    with changes in place of importances. 1 if each unit changes one factor, 0 if all change all alike."""
    shares = (changes + 1e-12) / (changes + 1e-12).sum(1, keepdims=True)
    weights = (changes + 1e-12).sum(1) / (changes + 1e-12).sum()
    return float(weights @ (1 + (shares * np.log(shares)).sum(1) / np.log(changes.shape[1])))


def scores(units: Float[np.ndarray, "row unit"], factors: FactorTable) -> dict[str, float]:
    """DCI, fitted and scored on all pictures there are."""
    tables = Tables(units.astype(np.float32), factors)
    found = dci(tables, tables, n_jobs=1)
    return {f"DCI {name}": found[name] for name in ("disentanglement", "completeness", "informativeness")}


def components(pictures: FactorPictures, seed: int) -> dict[str, float]:
    """The same scores of at most six principal components, turned by ICA; a swap is drawn by their inverse."""
    pixels, factors = pictures.images.flatten(1).double().numpy(), pictures.factors
    pca = PCA(6).fit(pixels)
    kept = pca.explained_variance_ratio_ > 1e-6
    whitened = manifold.whiten(pca.transform(pixels)[:, kept])
    turn = manifold.independent_components(whitened, 10, np.random.RandomState(seed)).components
    codes = whitened @ turn.T
    back = np.linalg.lstsq(np.c_[codes, np.ones(len(codes))], pixels, rcond=None)[0]

    def draw(some: np.ndarray) -> FactorTable:
        drawn = np.c_[some, np.ones(len(some))] @ back
        return read(torch.from_numpy(drawn).float().unflatten(1, SHAPE), pictures)

    rng = np.random.default_rng(seed)
    a, b = (rng.permutation(len(codes))[:256] for _ in range(2))
    whole, changes = draw(codes[a]), []
    for k in range(codes.shape[1]):
        swapped = codes[a].copy()
        swapped[:, k] = codes[b, k]
        changes.append(pictures.apart(draw(swapped), whole).mean(0))
    return {
        **scores(codes, factors),
        "swap entropy score": entropy_score(np.array(changes)),
        "rebuilt": float((pictures.apart(whole, factors[a]) <= 1).mean()),
    }
