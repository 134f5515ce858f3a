"""What a data set is, in words and numbers, and as a contact sheet."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from unweave.data.dataset import Dataset
from unweave.data.sampling import read_factors, sample_rows
from unweave.data.views import SPLITS, split_rows
from unweave.figures.grid import grid, tiles
from unweave.figures.html import facts_html, picture_html
from unweave.figures.pixels import use_colours
from unweave.types import Rows

logger = logging.getLogger(__name__)

MAX_CLASSES = 10  # of a factor, in a contact sheet
MEASURED_ROWS = 500  # whose pixels are counted
BINS = 16


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Size, factors, splits and card of a data set; its digest names the content."""
    return {
        "data": dataset.name,
        "images": len(dataset),
        "shape": list(dataset.shape),
        "factors": dict(zip(dataset.factor_names, dataset.factor_sizes)),
        **({"channels": describe_channels(dataset)} if dataset.reading else {}),
        "splits": {name: len(split_rows(dataset, name)) for name in dataset.splits or SPLITS[1:]},
        **dataset.card._asdict(),
        "digest": dataset.digest(),
    }


def describe_channels(dataset: Dataset, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Of each channel, over 500 images: the numbers that became black and white, a histogram of the pixels between (16
    shares), and the part of that range that all but 0.2 % of them take. Warns where it is less than half."""
    assert dataset.reading is not None
    pixels = dataset.images(sample_rows(len(dataset), MEASURED_ROWS, seed))
    channels = {}
    for channel, (black, white) in enumerate(dataset.reading.range):
        plane = pixels[..., channel]
        low, high = np.quantile(plane, (0.001, 0.999))
        counts = np.histogram(plane, BINS, (0, 256))[0]
        used = float(high - low) / 255
        name = str(dataset.reading.channels[channel]) if isinstance(dataset.reading.channels, tuple) else str(channel)
        shares = (counts / counts.sum()).round(4).tolist()
        channels[name] = {"black": black, "white": white, "used": round(used, 3), "histogram": shares}
        if used < 0.5:
            logger.warning(
                "channel %s of %s uses %.0f %% of %g .. %g: data.range=percentile, or LOW,HIGH, would use it all",
                *(name, dataset.name, 100 * used, black, white),
            )
    return channels


def contact_sheet(dataset: Dataset, seed: int = 0) -> Image:
    """Images drawn at random, and for each factor a row of images that differ in it alone, as far as there are such."""
    use_colours(dataset.colours)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(sample_rows(len(dataset), 24, seed))
    captions = [Path(dataset.files[row]).name if dataset.files else f"row {row}" for row in rows]
    title = f"{dataset.card.title}: {len(dataset):,} images"
    if not dataset.factor_names:
        return tiles(dataset.images(rows), captions, columns=min(8, len(rows)), title=title)
    rows_of = {"at random": rows[:MAX_CLASSES]}
    for column, (name, size) in enumerate(zip(dataset.factor_names, dataset.factor_sizes)):
        sweep = factor_sweep(dataset, int(rows[0]), column)
        if len(sweep) > 1:
            rows_of[name if len(sweep) == size else f"{name} ({len(sweep)} of {size})"] = sweep
    return grid([dataset.images(part) for part in rows_of.values()], list(rows_of), title=title)


def dataset_html(dataset: Dataset) -> str:
    """What a data set shows of itself in a notebook: size, factors, licence, and its contact sheet."""
    factors = ", ".join(f"{name} ({size})" for name, size in zip(dataset.factor_names, dataset.factor_sizes))
    facts = {
        "data": dataset.name,
        "images": f"{len(dataset):,}",
        "channels x height x width": " x ".join(map(str, dataset.shape)),
        "factors": factors,
        "licence": dataset.card.licence,
    }
    return facts_html(facts) + picture_html(contact_sheet(dataset), f"contact sheet of {dataset.name}")


def factor_sweep(dataset: Dataset, row: int, factor: int) -> Rows:
    """Rows that differ from this one in one factor alone, in the order of its classes, at most ten, evenly chosen."""
    classes = read_factors(dataset, np.arange(len(dataset)))
    others = np.delete(classes, factor, axis=1)
    alike = np.flatnonzero((others == others[row]).all(axis=1))
    rows = alike[np.unique(classes[alike, factor], return_index=True)[1]]
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MAX_CLASSES)).round().astype(int))]
