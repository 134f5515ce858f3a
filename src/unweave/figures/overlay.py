"""Maps of where each unit acts, laid over an image in colours, with a colour bar."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from unweave.figures.colours import add_colour_bar, colourise
from unweave.figures.grid import tiles
from unweave.figures.pixels import numpy_maps, rgb_pixels
from unweave.figures.ticks import Number

UnitMaps = Float[Tensor, "unit height width"] | Float[np.ndarray, "unit height width"]


def overlay(
    values: UnitMaps,
    image: Float[Tensor, "channel tall wide"],
    *,
    units: Sequence[int | str] | None = None,
    high: Number | None = None,
    title: str | None = None,
    quantity: str = "mean change",
) -> Image.Image:
    """A tile for every unit: its map over a grey version of one image in [-1, 1].

    The larger the value, the more of its colour. A colour bar, over light grey, goes from 0 to `high` (None: the
    largest value). Raises ValueError for a map and an image of two sizes, and a `high` that is not positive.
    """
    numbers = numpy_maps(values)
    high = _scale_top(numbers, high)
    if numbers.shape[1:3] != image.shape[1:]:
        raise ValueError(
            f"the map and the image must be of one size, got {numbers.shape[1:3]} and {tuple(image.shape[1:])} "
            "(height, width)."
        )
    grey = rgb_pixels(image[None]).mean(3, keepdims=True).repeat(3, axis=3)  # (1, height, width, 3)
    blended = blend(numbers / high, 0.6 * grey + 80)
    bar = blend(np.linspace(0, 1, 256), np.full((256, 3), 170.0))
    return add_colour_bar(tiles(blended, _unit_labels(units, len(numbers)), title=title), bar, high, quantity)


def blend(values: Float[np.ndarray, "*shape"], under: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "*shape 3"]:
    """Colours of values in [0, 1] over the colours `under`: transparent at 0, brighter and denser towards 1."""
    share = np.clip(values, 0, 1)[..., None] ** 0.7
    bright = colourise(0.35 + 0.6 * values)  # magma's dark end would look like a shadow
    return (share * bright + (1 - share) * under).round().astype(np.uint8)


def _scale_top(values: Float[np.ndarray, "unit height width"], high: Number | None) -> float:
    if high is not None and high <= 0:
        raise ValueError(f"high must be positive, got {high}: it is the value of the brightest colour.")
    return (float(values.max()) or 1.0) if high is None else float(high)


def _unit_labels(units: Sequence[int | str] | None, count: int) -> list[str]:
    return [f"unit {unit}" if isinstance(unit, int) else unit for unit in (range(count) if units is None else units)]
