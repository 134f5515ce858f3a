"""Orthogonality of a decoder's Jacobian: do units change the picture in directions of their own? Needs no labels."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave.evaluation.metrics.preparation import random_rotation
from unweave.types import check_finite

FAINT_BELOW = 0.02  # of the unit that moves pixels most
ROTATIONS = 20

UnitProducts = Float[np.ndarray, "images unit unit"]
"""Of each image, the inner products of what its units do to the pixels: J^T J, each unit by its deviation."""


class Orthogonality(NamedTuple):
    """1 - the mean |cosine| between two units, in [0, 1], higher is better; None where fewer than two are live."""

    orthogonality: float | None
    turned: float | None  # the same of the code turned at random
    live: list[int]


def jacobian_orthogonality(products: UnitProducts, *, seed: int = 0) -> Orthogonality:
    """How far the columns of the decoder's Jacobian are orthogonal, in [0, 1], beside its null.

    The cosine of two columns is that of the directions in which two units change the pixels of one image; the score is
    1 - |cosine|, mean over images and pairs of live units. `turned` is the same where the live units, each divided by
    its deviation, are turned by 20 random rotations: what this decoder has for axes that mean nothing. A unit is live
    where it moves the pixels (root mean square over images) at least 2 % as far as the strongest.

    Ours. That columns are orthogonal is the assumption of independent mechanism analysis (Gresele et al., NeurIPS 2021,
    arXiv:2106.05200), whose contrast is a log determinant and infinite for a dead unit or a copy. Not tested enough to
    be believed: how it goes with scores that know the factors, on sixteen runs, is in docs/report.md.
    Known defects: things at two places are orthogonal however they are divided up; two factors that change the same
    pixels, such as the size and the colour of one object, are not, in a perfect code; few live units have it easy.
    Raises ValueError for products that are not finite.
    """
    check_finite(products, "products of the units' changes")
    lengths = np.sqrt(products.diagonal(axis1=1, axis2=2).mean(0))
    live = np.flatnonzero(lengths > FAINT_BELOW * lengths.max())
    if len(live) < 2:
        return Orthogonality(None, None, live.tolist())
    kept = products[:, live][:, :, live].astype(np.float64)
    random = np.random.RandomState(seed)
    turns = (random_rotation(len(live), random) for _ in range(ROTATIONS))
    turned = [1 - mean_cosine(turn @ kept @ turn.T) for turn in turns]
    return Orthogonality(1 - mean_cosine(kept), float(np.mean(turned)), live.tolist())


def mean_cosine(products: UnitProducts) -> float:
    """The mean |cosine| over images and pairs of units; a unit that moves nothing in an image has no pairs in it."""
    lengths = np.sqrt(products.diagonal(axis1=1, axis2=2).clip(min=0))  # (image, unit)
    scale = lengths[:, :, None] * lengths[:, None]
    pairs = np.triu(np.ones(products.shape[1:], bool), 1) & (scale > 0)
    return float((np.abs(products[pairs]) / scale[pairs]).clip(max=1).mean()) if pairs.any() else 0.0
