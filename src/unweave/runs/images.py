"""Images by name, as a run wants them: rows of its data set, or image files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from unweave.data.dataset import Dataset
from unweave.data.reading.pixels import read_image, sides
from unweave.runs.run import Run, best_device
from unweave.tensors import Images, to_images

logger = logging.getLogger(__name__)

Named = Sequence[int | str | Path]
"""Images: row numbers of the run's data set, or paths of image files."""


class Gathered(NamedTuple):
    images: Images
    labels: list[str]


def gather(run: Run, named: Named) -> Gathered:
    """The named images at the size that the run was trained on; files are cropped to the middle and resized."""
    channels, height, width = run.shape()
    dataset: Dataset | None = None
    pictures, labels = [], []
    for name in named:
        if isinstance(name, int) or (str(name).isdecimal() and not Path(str(name)).exists()):
            dataset = dataset or run.dataset()
            row = int(str(name))
            if not 0 <= row < len(dataset):
                raise ValueError(
                    f"row must be in 0..{len(dataset) - 1}, got {row}: {dataset.name} has {len(dataset):,} images."
                )
            pictures.append(to_images(dataset.images(torch.tensor([row]).numpy())))
            labels.append(f"row {row}")
        else:
            path = Path(str(name))
            pictures.append(to_images(read_image(path, (height, width), channels)))
            labels.append(path.name)
            if (found := sides(path)) != (height, width):
                logger.info(
                    "%s has %d x %d pixels: its middle is resized to %d x %d (height, width).",
                    path.name, *found, height, width,
                )  # fmt: skip
    if not pictures:
        raise ValueError("there are no images to edit: give row numbers of the data set or paths of image files.")
    return Gathered(torch.cat(pictures).to(best_device()), labels)
