"""Hessian eigenmaps and independent components: the factors of a local isometry, without training a network.

Horan, Richardson & Weiss, "When is unsupervised disentanglement possible?", NeurIPS 2021. The mathematics is in
unweave/manifold.py (`LocalIsometry`). It is for few factors, two to about four, that are continuous and independent
and of which at most one is Gaussian, and for hundreds of images or more. It has no decoder and takes no steps: budget,
rates and batch of [training] say nothing to it. It costs seconds for a thousand images; beyond `landmarks` images the
others are placed among them.
"""

import warnings
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL.Image import Image
from pydantic import Field, model_validator
from torch import Tensor

from unweave.config import NamedSettings
from unweave.figures.curve import plot_curves
from unweave.figures.grid import grid
from unweave.method import FitResult, Fitted, Method, MethodDefinition, Player
from unweave.models.foundation import Foundation
from unweave.tensors import Images, Units, to_images
from unweave.types import Pixels

CITATION = """@inproceedings{horan2021when,
  title     = {When Is Unsupervised Disentanglement Possible?},
  author    = {Horan, Daniella and Richardson, Eitan and Weiss, Yair},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2021}
}"""

STEPS = 9
"""Images of every unit in the picture that goes through its range."""


class HLLEICASettings(NamedSettings):
    name: Literal["hlle_ica"] = "hlle_ica"
    units: int = Field(
        2, ge=1, le=8, description="number of factors; pictures/factors.png shows an estimate to compare"
    )
    neighbours: int = Field(12, ge=2, description="neighbours of an image; more than N(N+3)/2 for `hessian`")
    embedding: Literal["hessian", "modified", "ltsa", "isomap"] = Field(
        "hessian", description="'hessian', 'modified', 'ltsa', or 'isomap', which stands few images better"
    )
    reduce: int | None = Field(50, ge=1, description="principal components kept before; none keeps all pixels")
    ica: bool = Field(True, description="undo the rotation by independent component analysis")
    starts: int = Field(10, ge=1, description="starts of FastICA, of which the most independent is kept")
    landmarks: int = Field(10_000, ge=10, description="images that are embedded; the others are placed among them")

    @model_validator(mode="after")
    def _fits(self) -> "HLLEICASettings":
        from unweave import manifold  # scikit-learn, where the method is used and not where it is listed

        manifold.check_parameters(self.units, self.neighbours, self.embedding)
        return self


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "laptop": {"data": {"size": 32}, "training": {"precision": "float32"}},
    "isomap": {"data": {"size": 32}, "method": {"embedding": "isomap", "neighbours": 8, "landmarks": 4_000},
               "training": {"precision": "float32"}},
}  # fmt: skip
"""The paper's method, and Isomap in place of Hessian eigenmaps, which finds the factors of some hundreds of images."""


class HLLEICA(Method, Fitted):
    """No loss: PCA, Hessian eigenmaps and ICA of the training images, all at once.

    Images are encoded by the affine map of their nearest training image's neighbourhood (`manifold.place`), so
    training images have the codes of the embedding. Units have mean 0 and variance 1 over them.
    """

    mean: Tensor  # buffers: of the pixels
    axes: Tensor  # the principal components
    points: Tensor  # the embedded images along them
    coordinates: Tensor  # and in the embedding

    def __init__(self, settings: HLLEICASettings, foundation: Foundation) -> None:
        super().__init__()
        from unweave import manifold

        self.settings = settings
        numbers = int(np.prod(foundation.shape))
        rows = self.fit_images = min(settings.landmarks, foundation.rows)
        manifold.check_rows(rows, numbers, settings.units, settings.neighbours)
        manifold.check_memory(rows, numbers, settings.neighbours, settings.embedding)
        kept = max(min(settings.reduce or numbers, numbers, rows), settings.units)
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("axes", torch.zeros(kept, numbers))
        self.register_buffer("points", torch.zeros(rows, kept))
        self.register_buffer("coordinates", torch.zeros(rows, settings.units))

    def players(self) -> list[Player]:
        return []

    def fit(self, pixels: Pixels, rng: torch.Generator) -> FitResult:
        from unweave import manifold

        settings = self.settings
        model = manifold.LocalIsometry(
            settings.units, n_neighbors=settings.neighbours, embedding=settings.embedding, reduce=settings.reduce,
            ica=settings.ica, n_starts=settings.starts, landmarks=None, random_state=rng.initial_seed() % 2**32,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # its doubts are notes of the run
            model.fit(to_images(pixels).flatten(1).numpy())
        fitted = {
            "mean": model.pca_.mean_, "axes": model.pca_.components_, "points": model.points_,
            "coordinates": model.embedding_,
        }  # fmt: skip
        for name, values in fitted.items():
            self.get_buffer(name).copy_(torch.from_numpy(values))
        estimate = manifold.local_dimension(model.local_shares_)
        pictures = {
            "factors": plot_shares(model.local_shares_, estimate, settings.units),
            "units": plot_units(pixels, model.embedding_),
        }
        terms = {"local_dimension": float(estimate)}
        notes = [
            f"local principal components speak for {estimate} factors (an estimate); method.units is {settings.units}",
            *model.doubts(),
        ]
        if model.rotation_ is not None:
            terms |= {"negentropy": model.rotation_.negentropies.max(), "near_ties": float(model.rotation_.near_ties)}
        return FitResult(terms, pictures, notes)

    def encode(self, images: Images) -> Units:
        from unweave import manifold

        buffers = (self.mean, self.axes, self.points, self.coordinates)
        mean, axes, points, coordinates = (buffer.cpu().double() for buffer in buffers)
        reduced = (images.flatten(1).cpu().double() - mean) @ axes.T
        placed = manifold.place(reduced.numpy(), points.numpy(), coordinates.numpy(), self.settings.neighbours)
        return torch.from_numpy(placed).float().to(images.device).unsqueeze(-1)


def plot_shares(shares: Float[np.ndarray, "component"], estimate: int, units: int) -> Image:
    """The variance of neighbourhoods by local principal component."""
    rows = [{"component": i + 1, "share of variance": float(share)} for i, share in enumerate(shares[:10])]
    return plot_curves(
        rows, x="component", x_label="local principal component", vertical="linear",
        title=f"How many factors? Local components speak for {estimate} (an estimate); method.units is {units}.",
    )  # fmt: skip


def plot_units(pixels: Pixels, coordinates: Float[np.ndarray, "rows units"]) -> Image:
    """Training images along the range of every unit, those whose other units are nearest to their medians."""
    middle = np.median(coordinates, axis=0)
    shares = np.linspace(0.02, 0.98, STEPS)
    lines = []
    for unit in range(coordinates.shape[1]):
        wanted = np.tile(middle, (STEPS, 1))
        wanted[:, unit] = np.quantile(coordinates[:, unit], shares)
        nearest = [int(((coordinates - place) ** 2).sum(1).argmin()) for place in wanted]
        lines.append(pixels[nearest])
    names = [f"unit {unit}" for unit in range(len(lines))]
    return grid(
        lines, names, [f"{share:.0%}" for share in shares], title="Training images along the range of each unit"
    )


def build(settings: HLLEICASettings, foundation: Foundation) -> HLLEICA:
    return HLLEICA(settings, foundation)


METHOD = MethodDefinition(settings=HLLEICASettings, build=build, presets=PRESETS, citation=CITATION)
