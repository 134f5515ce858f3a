"""Images by name, as a run wants them: rows of its data set, or image files."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from unweave.data.dataset import Dataset
from unweave.data.reading.picture_files import picture_size, read_picture
from unweave.data.sampling import sample_rows
from unweave.data.settings import Reading
from unweave.devices import best_device
from unweave.runs.run import Run
from unweave.tensors import Images, to_images

logger = logging.getLogger(__name__)

ImageName = int | str | Path
"""An image: a row number of the run's data set, or the path of an image file."""

ImageNames = ImageName | Sequence[ImageName]
"""Images: one, or several of them."""


class NamedImages(NamedTuple):
    images: Images
    labels: list[str]


def list_images(names: ImageNames) -> list[ImageName]:
    """One image or several as a list: a word is one name, not its letters. Raises TypeError for what is none."""
    if isinstance(names, str | Path | int | np.integer):
        return [int(names) if isinstance(names, np.integer) else names]
    listed = list(names) if isinstance(names, Iterable) else [names]
    for name in listed:
        if isinstance(name, bool) or not isinstance(name, str | Path | int | np.integer):
            raise TypeError(
                f"images are row numbers of the data set or paths of image files, got a {type(name).__name__}: save "
                "pictures and arrays as files, such as PNG, and give their paths."
            )
    return listed


def read_images(run: Run, names: ImageNames) -> NamedImages:
    """The named images at the size that the run was trained on; files are read as its own pictures were."""
    names = list_images(names)
    shape, reading = run.shape(), run.reading()
    dataset: Dataset | None = None
    images, labels = [], []
    for name in names:
        if isinstance(name, int) or (str(name).isdecimal() and not Path(str(name)).is_file()):
            dataset = dataset or run.dataset()
            row = int(str(name))
            images.append(read_row(dataset, row))
            labels.append(f"row {row}")
        else:
            path = Path(str(name))
            images.append(read_file(path, shape, reading))
            labels.append(path.name)
            if (size := picture_size(path)) != shape[1:]:
                part = "its middle" if reading is None or reading.fit == "crop" else "it"
                logger.info(
                    "%s has %d x %d pixels: %s is resized to %d x %d (height, width).",
                    path.name, *size, part, *shape[1:],
                )  # fmt: skip
    if not images:
        raise ValueError("there are no images to edit: give row numbers of the data set or paths of image files.")
    return NamedImages(torch.cat(images), labels)


def read_row(dataset: Dataset, row: int) -> Images:
    """The one image of a row. Raises ValueError for a row that is not there."""
    if not 0 <= row < len(dataset):
        raise ValueError(
            f"row must be in 0..{len(dataset) - 1}, got {row}: {dataset.name} has {len(dataset):,} images."
        )
    return to_images(dataset.images(np.array([row]))).to(best_device())


def read_file(path: Path, shape: tuple[int, int, int], reading: Reading | None = None) -> Images:
    """The one image of a file at this shape (channels, height, width), read as the run's own pictures were.

    Raises ValueError that names the file.
    """
    channels, height, width = shape
    if reading is None:
        reading = Reading(channels="grey" if channels == 1 else "rgb", range=((0.0, 255.0),) * channels)
    return to_images(read_picture(path, reading, (height, width))[None]).to(best_device())


def random_rows(run: Run, count: int, seed: int = 0) -> list[int]:
    """Random rows of the run's data set, for an edit that names none."""
    rows = sample_rows(len(run.dataset()), count, seed=seed)
    return np.random.default_rng(seed).permutation(rows).tolist()
