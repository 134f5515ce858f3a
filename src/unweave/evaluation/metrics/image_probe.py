"""A probe: names the classes of the factors in images, for metrics that judge what a model draws."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from unweave.types import FactorTable, Pixels

Classes = Int[np.ndarray, "labelled factors"]
"""The class of every factor, a row for each of the rows or images given beside it."""


class Probe(NamedTuple):
    """Names the classes of every factor in images, and how often it is right on real images it was not trained on."""

    label: Callable[[Pixels], FactorTable]
    accuracy: list[float]  # per factor


def fit_probe(images: Pixels, factors: Classes, *, seed: int = 0) -> Probe:
    """A probe trained on four fifths of real images, with its accuracy per factor on the rest.

    One neural network of a hidden layer of 256 per factor (scikit-learn's MLPClassifier, 40 epochs) on 100 principal
    components of the pixels, each divided by the root of its standard deviation: half-way to whitening, which keeps
    fine factors visible without blowing up noise. Extremely randomised trees on pixels are as accurate on clean images
    but lose much of it under a slight blur, and decoders blur. A constant factor is labelled with its one class.
    Deterministic for a seed. Use images that the edits are not measured on.

    Raises ValueError for fewer than 10 images, or another number of rows of factors.
    """
    if len(images) < 10 or len(images) != len(factors):
        raise ValueError(f"expected 10 or more images and their factors, got {len(images)} and {len(factors)} rows.")
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = np.split(order, [len(order) // 5])
    pixels = _flat(images[train])
    pca = PCA(min(100, *pixels.shape), svd_solver="randomized", random_state=seed)
    with np.errstate(invalid="ignore"):  # the share of the variance of images that are all the same
        pca.fit(pixels)
    spread = np.sqrt(np.maximum(pca.explained_variance_, 1e-12))
    scale = 1 / np.sqrt(spread * spread[0])  # the first component gets a standard deviation of 1

    def components(images: Pixels) -> Float[np.ndarray, "rows components"]:
        return pca.transform(_flat(images)) * scale

    models = [_network(components(images[train]), column, seed) for column in factors[train].T]

    def label(images: Pixels) -> FactorTable:
        z = components(images)
        return np.stack([model(z) for model in models], axis=1)

    return Probe(label, (label(images[test]) == factors[test]).mean(0).tolist())


def _flat(images: Pixels) -> Float[np.ndarray, "rows bytes"]:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _network(
    z: Float[np.ndarray, "rows components"], classes: Int[np.ndarray, "rows"], seed: int
) -> Callable[[Float[np.ndarray, "..."]], Int[np.ndarray, "..."]]:
    if (classes == classes[0]).all():
        return lambda z: np.full(len(z), classes[0])
    model = MLPClassifier((256,), batch_size=min(64, len(z)), max_iter=40, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(z, classes)
    return model.predict
