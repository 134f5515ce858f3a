"""The verbs that look at data: open a set by name or path, say what it is, draw its contact sheet."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from unweave.data import views
from unweave.data.dataset import Dataset
from unweave.data.factors import FactorGrid
from unweave.data.sampling import rows_for
from unweave.figures.grid import grid, tiles
from unweave.types import Rows

SHOWN = 10  # classes of a factor in a contact sheet
ENOUGH = 200_000  # rows among which one that differs in a single factor is looked for


def facts(dataset: Dataset) -> dict[str, Any]:
    """Size, factors, splits and card of a data set; its digest names the content."""
    return {
        "data": dataset.name,
        "images": len(dataset),
        "shape": list(dataset.shape),
        "factors": dict(zip(dataset.factor_names, dataset.factor_sizes)),
        "splits": {name: len(views.split_rows(dataset, name)) for name in dataset.splits or views.SPLITS[1:]},
        **dataset.card._asdict(),
        "digest": dataset.digest(),
    }


def contact_sheet(dataset: Dataset, seed: int = 0) -> Image:
    """Images drawn at random, and for each factor a row of images that differ in it alone, as far as there are such."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(rows_for(len(dataset), 24, seed))
    named = [Path(dataset.files[row]).name if dataset.files else f"row {row}" for row in rows]
    title = f"{dataset.card.title}: {len(dataset):,} images"
    if not dataset.factor_names:
        return tiles(dataset.images(rows), named, columns=min(8, len(rows)), title=title)
    random = rows[:SHOWN]
    sweeps = {name: sweep(dataset, int(rows[0]), i) for i, name in enumerate(dataset.factor_names)}
    sizes = dict(zip(dataset.factor_names, dataset.factor_sizes))
    said = {
        name: name if len(of) == sizes[name] else f"{name} ({len(of)} of {sizes[name]})" for name, of in sweeps.items()
    }
    parts = {"at random": random} | {said[name]: of for name, of in sweeps.items() if len(of) > 1}
    return grid([dataset.images(part) for part in parts.values()], list(parts), title=title)


def sweep(dataset: Dataset, row: int, factor: int) -> Rows:
    """Rows that differ from this one in one factor alone, in the order of its classes, at most ten, evenly chosen."""
    here = dataset.factors(np.array([row]))
    assert here is not None
    size = dataset.factor_sizes[factor]
    grid_ = FactorGrid(dataset.factor_names, dataset.factor_sizes)
    if len(grid_) == len(dataset) and (grid_.factors(np.array([row])) == here).all():
        wanted = np.repeat(here, size, axis=0)
        wanted[:, factor] = np.arange(size)
        found = grid_.index(wanted)
        there = dataset.factors(found)
        if there is not None and np.array_equal(there, wanted):
            return found[np.unique(np.linspace(0, size - 1, min(size, SHOWN)).round().astype(int))]
    rows = rows_for(len(dataset), ENOUGH, 0)
    classes = dataset.factors(rows)
    assert classes is not None
    others = np.delete(np.arange(classes.shape[1]), factor)
    alike = np.flatnonzero((classes[:, others] == here[:, others]).all(axis=1))
    _, first = np.unique(classes[alike, factor], return_index=True)
    chosen = rows[alike[first]]
    return chosen[np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), SHOWN)).round().astype(int))]
