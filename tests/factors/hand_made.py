"""Hand-made codes with known factors, and what swaps of their units change in hand-made pictures."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave.factors.evidence import Effects, UnitCodes

PAIRS = 64
SIZE = 8
Values = Float[np.ndarray, "rows factor"]


class World(NamedTuple):
    """Factors of two halves of a picture; each unit is a number."""

    codes: UnitCodes
    effects: Effects
    values: Values


def world(
    values: Values,
    encode: Callable[[Values], Float[np.ndarray, "rows unit"]],
    decode: Callable[[Float[np.ndarray, "rows unit"]], Values],
    draw: Callable[[Values], Float[np.ndarray, "rows 3 height width"]],
) -> World:
    """UnitCodes of these values, and the effects of swaps of the first 64 rows with the last 64."""
    codes = encode(values)
    first, second = codes[:PAIRS], codes[-PAIRS:]
    plain, effects = draw(decode(first)), []
    for unit in range(codes.shape[1]):
        swapped = first.copy()
        swapped[:, unit] = second[:, unit]
        effects.append(draw(decode(swapped)) - plain)
    return World(codes[:, :, None].astype(np.float32), np.stack(effects).astype(np.float32), values)


def hues(values: Values) -> Float[np.ndarray, "rows 3 height width"]:
    """A picture whose left half has the hue of the first factor, its right half that of the second, both in turns."""
    return _halves([_colour(values[:, 0]), _colour(values[:, 1])])


def hue_and_brightness(values: Values) -> Float[np.ndarray, "rows 3 height width"]:
    """The left half has the hue of the first factor, in turns, and the brightness of the second; the right is grey."""
    left = _colour(values[:, 0]) + 0.4 * values[:, 1:2]
    return _halves([left, np.full_like(left, 0.5)])


def _colour(turns: Float[np.ndarray, "rows"]) -> Float[np.ndarray, "rows 3"]:
    return 0.5 + 0.3 * np.cos(2 * np.pi * (turns[:, None] - np.array([0, 1 / 3, 2 / 3])))


def _halves(colours: list[Float[np.ndarray, "rows 3"]]) -> Float[np.ndarray, "rows 3 height width"]:
    parts = [np.broadcast_to(colour[:, :, None, None], (*colour.shape, SIZE, SIZE // 2)) for colour in colours]
    return np.concatenate(parts, 3)
