"""Maps of where each unit acts, in colours or laid over an image, with a colour bar."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from unweave.figures.axis import Number
from unweave.figures.colours import colourise, with_bar
from unweave.figures.grid import tiles
from unweave.figures.pixels import maps, pixels

Values = Float[Tensor, "unit height width"] | Float[np.ndarray, "unit height width"]


def heatmap(
    values: Values,
    image: Float[Tensor, "channel tall wide"] | None = None,
    *,
    units: Sequence[int | str] | None = None,
    high: Number | None = None,
    title: str | None = None,
    quantity: str = "mean change",
) -> Image.Image:
    """A tile for every unit, and a colour bar from 0 to `high` (None: the largest value).

    `image`, in [-1, 1], such as the mean of the images, becomes the first tile.
    """
    numbers, high = maps(values), _high(maps(values), high)
    shown, labels = colourise(numbers / high), _labels(units, len(numbers))
    if image is not None:
        _check(shown, image)
        shown, labels = np.concatenate([pixels(image[None]), shown]), ["mean image", *labels]
    return with_bar(tiles(shown, labels, title=title), colourise(np.linspace(0, 1, 256)), high, quantity)


def overlay(
    values: Values,
    image: Float[Tensor, "channel tall wide"],
    *,
    units: Sequence[int | str] | None = None,
    high: Number | None = None,
    title: str | None = None,
    quantity: str = "mean change",
) -> Image.Image:
    """The maps laid over a grey version of one image in [-1, 1]: the larger the value, the more of its colour.

    The colour bar is laid over light grey.
    """
    numbers, high = maps(values), _high(maps(values), high)
    _check(numbers, image)
    grey = pixels(image[None]).mean(3, keepdims=True).repeat(3, axis=3)  # (1, height, width, 3)
    shown = laid(numbers / high, 0.6 * grey + 80)
    bar = laid(np.linspace(0, 1, 256), np.full((256, 3), 170.0))
    return with_bar(tiles(shown, _labels(units, len(numbers)), title=title), bar, high, quantity)


def laid(values: Float[np.ndarray, "*shape"], under: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "*shape 3"]:
    share = np.clip(values, 0, 1)[..., None] ** 0.7
    bright = colourise(0.35 + 0.6 * values)  # magma's dark end would look like a shadow
    return (share * bright + (1 - share) * under).round().astype(np.uint8)


def _check(values: np.ndarray, image: Tensor) -> None:
    if values.shape[1:3] != image.shape[1:]:
        raise ValueError(
            f"the map and the image must be of one size, got {values.shape[1:3]} and {tuple(image.shape[1:])} "
            "(height, width)."
        )


def _high(values: Float[np.ndarray, "unit height width"], high: Number | None) -> float:
    if high is not None and high <= 0:
        raise ValueError(f"high must be positive, got {high}: it is the value of the brightest colour.")
    return (float(values.max()) or 1.0) if high is None else float(high)


def _labels(units: Sequence[int | str] | None, count: int) -> list[str]:
    return [f"unit {unit}" if isinstance(unit, int) else unit for unit in (range(count) if units is None else units)]
