"""Where pictures depend on independent, non-Gaussian factors by a local isometry, a spectral embedding and ICA find the
factors without training a network; with Gaussian factors they do not.

Horan, Richardson & Weiss, "When is unsupervised disentanglement possible?", NeurIPS 2021.

A bump moves over a picture: nearby pictures are as far apart as the places, wherever they are. Hessian eigenmaps find
the two coordinates of the place up to a rotation, ICA undoes it. Beside it stand three that lack a part:

- the control: the same with Gaussian factors, of which every rotation is as independent as any other. A single MCC says
  little, since a random rotation of two units has 0.90 in the mean; so the worst of several seeds is judged, and the
  spread over them. `linear R2` is how much of the factors any linear map reads from the code: where it is low, points
  in the tails have taken an axis for themselves, and the failure is not one of rotation.
- PCA + ICA on the same pictures: an embedding that is not isometric.
- `without ICA`: the embedding alone.

MCC is fitted and scored on the same rows, against the factors as real numbers.
"""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from unweave import manifold, progress
from unweave.data.sets.manifolds import Distribution, Manifold, ManifoldsSettings
from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.evaluation.metrics.mcc import mcc
from unweave.methods.hlle_ica import plot_units
from unweave.types import UnitTable

SEEDS = 5


class FoundCode(NamedTuple):
    mcc: float
    without_ica: float
    linear: float  # MCC of PCA + ICA
    r2: float  # of the factors from the code, by a linear map
    dataset: Manifold
    codes: UnitTable


def run(seed: int, small: bool) -> Outcome:
    rows = 600 if small else 1_000
    uniform, gaussian = (find_all(factors, rows, seed) for factors in ("uniform", "gaussian"))
    shown = uniform[0]
    picture = plot_units(shown.dataset.images(np.arange(rows)), shown.codes)
    return Outcome(measure(uniform), measure(gaussian), picture)


def find_all(factors: Distribution, rows: int, seed: int) -> list[FoundCode]:
    found = []
    with progress.task(f"{factors} factors", SEEDS, "seeds") as task:
        for number in range(SEEDS):
            found.append(find(ManifoldsSettings(factors=factors, rows=rows, seed=seed * SEEDS + number)))
            task.update(number + 1)
    return found


def find(settings: ManifoldsSettings) -> FoundCode:
    """The codes of one manifold of a wide bump, and how they follow its factors."""
    dataset = Manifold(settings)
    x, z = dataset.images(np.arange(len(dataset))).reshape(len(dataset), -1).astype(float), dataset.values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of near ties, which Gaussian factors have
        fitted = manifold.LocalIsometry(2, random_state=0).fit(x)
        embedded = manifold.LocalIsometry(2, ica=False, random_state=0).fit(x).embedding_
    components = manifold.whiten(PCA(2).fit_transform(x))
    linear = components @ manifold.independent_components(components, 10, np.random.RandomState(0)).components.T
    found, alone, pca = (mcc(codes, z)["mcc"] for codes in (fitted.embedding_, embedded, linear))
    return FoundCode(found, alone, pca, linear_r2(fitted.embedding_, z), dataset, fitted.embedding_)


def linear_r2(codes: UnitTable, factors: np.ndarray) -> float:
    """The share of the factors' variance that a linear map from the codes explains; of the factor of the least."""
    design = np.c_[codes, np.ones(len(codes))]
    rest = factors - design @ np.linalg.lstsq(design, factors, rcond=None)[0]
    return float((1 - rest.var(0) / factors.var(0)).min())


def measure(found: list[FoundCode]) -> Measurements:
    scores = np.array([code.mcc for code in found])
    return {
        "worst MCC": float(scores.min()),
        "spread of MCC": float(np.ptp(scores)),
        "worst MCC without ICA": min(code.without_ica for code in found),
        "mean MCC of PCA + ICA": float(np.mean([code.linear for code in found])),
        "median linear R2": float(np.median([code.r2 for code in found])),
    }


def holds(uniform: Measurements, gaussian: Measurements) -> bool:
    found = uniform["worst MCC"] >= 0.99 and uniform["spread of MCC"] < 0.01 and uniform["mean MCC of PCA + ICA"] <= 0.9
    return found and gaussian["spread of MCC"] >= 0.1


DEMO = Demonstration(
    paper="Horan, Richardson & Weiss, When Is Unsupervised Disentanglement Possible?, NeurIPS 2021",
    control="the same pictures with Gaussian factors",
    run=run,
    holds=holds,
)
