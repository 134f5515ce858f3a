"""Pictures of a box of units: an image manifold with known factors, drawn by a trained generator.

As Horan, Richardson & Weiss (NeurIPS 2021) took manifolds from StyleGAN2: some directions of its code vary, uniformly
and independently, and everything else stays. Here the directions are units of any generative run; nothing says that
the pictures depend on them by a local isometry.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave import progress
from unweave.editing.decoding import decode
from unweave.editing.inputs import SAMPLING, read_inputs
from unweave.files import temporary_path
from unweave.method import Sampling, evaluating
from unweave.runs.codes import encode_images
from unweave.runs.images import ImageNames
from unweave.runs.run import Run
from unweave.runs.unit_ranges import unit_ranges
from unweave.runs.units import UnitSelection, list_units
from unweave.tensors import to_pixels
from unweave.types import FactorTable, Pixels

CHUNK = 250
LEVELS = 20


class UnitBox(NamedTuple):
    """Drawn pictures and what each was drawn from."""

    images: Pixels
    values: Float[np.ndarray, "rows factors"]  # of each unit, in [0, 1] of its range
    factors: FactorTable  # the same in classes of equal width
    names: list[str]

    def save(self, path: Path) -> Path:
        """An .npz, which is a data set: images, factors, factor_names, and `values`."""
        with temporary_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file, images=self.images, factors=self.factors, factor_names=np.array(self.names), values=self.values
            )
        return path


def draw_box(
    run: Run | str | Path,
    units: UnitSelection,
    *,
    rows: int = 3_000,
    image: ImageNames | None = None,
    reach: tuple[float, float] = (0.05, 0.95),
    sampling: Sampling = SAMPLING,
    seed: int = 0,
) -> UnitBox:
    """`rows` pictures of one image whose listed units are drawn uniformly between two quantiles of their values.

    The base is `image` (a random row of the run's data if none is given); its other units and, where the decoder has
    one, its inverted start x_T stay as they are. Factors move along their coordinate, vector units and groups along
    their first principal component.
    Raises LookupError and TypeError as every edit does, ValueError where no unit is listed.
    """
    if not list_units(units, {}):
        raise ValueError("name the units that vary, as units 2,5.")
    inputs = read_inputs(run, image, 1, sampling)
    groups = inputs.units(units)
    rng = np.random.default_rng(seed)
    values = rng.uniform(size=(rows, len(groups)))
    start = inputs.start(sampling, None)
    parts: list[Pixels] = []
    with evaluating(inputs.method), progress.task("drawing", rows, "images") as task:
        base = encode_images(inputs.method, inputs.images[:1], 1)
        ranges = unit_ranges(inputs.run, groups)
        for first in range(0, rows, CHUNK):
            part = values[first : first + CHUNK]
            codes = base.repeat(len(part), 1, 1)
            for column, (group, span) in enumerate(zip(groups, ranges)):
                low, high = np.interp(reach, np.linspace(0, 1, len(span.levels)), span.levels)
                levels = low + (high - low) * part[:, column]
                codes[:, group.units] = torch.from_numpy(span.codes_of(levels)).to(codes)
            begin = start.repeat(len(part), *[1] * (start.ndim - 1)) if isinstance(start, Tensor) else start
            parts.append(to_pixels(decode(inputs.method, codes, begin, sampling=sampling, batch=64)))
            task.update(first + len(part))
    classes = np.minimum((values * LEVELS).astype(np.int64), LEVELS - 1)
    return UnitBox(np.concatenate(parts), values, classes, [group.name for group in groups])
