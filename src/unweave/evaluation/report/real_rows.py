"""Real images along a unit or factor, and in the states of one, for methods that draw none."""

import numpy as np
from jaxtyping import Float

from unweave.data.dataset import Dataset
from unweave.evaluation.report.drawings import STEPS, TRAVERSED
from unweave.evaluation.report.pictures import Strip
from unweave.types import Rows


def real_strips(values: Float[np.ndarray, "rows units"], unit: int, rows: Rows, dataset: Dataset) -> list[Strip]:
    """Real images along a unit, from its 2 % to its 98 % quantile, whose other units change as little as can be.

    Each strip has an image of its own, drawn from the quarter whose other units are nearest to their medians. A step
    is, of the twentieth of the rows that is nearest to the quantile, the one whose other units (each divided by its
    spread) are nearest to that image's. No row is in two strips at the same step.
    """
    others = np.delete(values, unit, axis=1)
    others = others / np.maximum(others.std(0), 1e-12)
    order = np.argsort(values[:, unit], kind="stable")
    count = min(TRAVERSED, len(order))
    window = min(len(order), max(8, len(order) // 20))
    first = np.round(np.linspace(0.02, 0.98, STEPS) * (len(order) - 1) - (window - 1) / 2)
    central = ((others - np.median(others, axis=0)) ** 2).sum(1).argsort(kind="stable")[: max(count, len(order) // 4)]
    bases = np.random.default_rng(0).permutation(central)[:count]
    steps = np.empty((count, STEPS), dtype=int)
    for column, start in enumerate(np.clip(first, 0, len(order) - window).astype(int)):
        near = order[start : start + window]
        for strip, base in enumerate(bases):
            distances = ((others[near] - others[base]) ** 2).sum(1)
            distances[np.isin(near, steps[:strip, column])] = np.inf
            steps[strip, column] = near[distances.argmin()]
    return [dataset.images(rows[strip]) for strip in steps]
