"""Swap consistency: does a swapped unit, read back from the image, change that unit alone? Ours, from no paper."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from unweave import types
from unweave.evaluation.metrics.edit_precision import Editor
from unweave.types import Pixels, Rows

STILL_BELOW = 0.05  # of the largest standard deviation

PixelEncoder = Callable[[Pixels], np.ndarray]
"""Images -> float codes, [rows, units] or [rows, unit, dim]."""

PairRows = Int[np.ndarray, "pairs"]
CodeArray = Float[np.ndarray, "rows unit dim"]


class SwapConsistency(NamedTuple):
    """The mean over `live` units and what it is made of. Lists of lists run over all units."""

    consistency: float
    live: list[int]  # units that vary and whose swap changes the code
    shares: list[float]  # of every unit, 0 where it is not live
    landing: list[list[float]]  # [swapped][changed]: how the change is divided; rows sum to 1, or are 0
    spread: list[float]  # the standard deviation of every unit over reconstructions


def swap_consistency(
    editor: Editor, encode: PixelEncoder, rows: Rows, *, pairs: int = 512, seed: int = 0
) -> SwapConsistency:
    """The share of the code's change that lands in the swapped unit, in [0, 1], higher is better; needs no labels.

    Our own metric. Pairs of rows are random; unit i of the second goes into the first, and the edit and the unedited
    reconstruction of the first are both encoded. The change of unit k is |edited - unedited|^2 over its dimensions,
    divided by its variance over the reconstructions, so units of any scale weigh the same; `shares[i]` is the change of
    unit i over that of all units, both summed over the pairs, and `consistency` the mean over live units. Squares, not
    absolute values, because squared changes of parts add up to that of the whole whatever basis a unit is written in.
    Changes are summed before dividing because a pair whose units agree has no change to share out.

    A unit is still where its standard deviation is below 0.05 of the largest: dividing by it would blow up noise, so it
    is left out of every sum. A unit is dead where it is still, or its swap changes no code at all; its share is 0 and
    it is left out of the mean. With no live unit the score is 0. Chance, for change spread evenly, is 1 / units that
    are not still.

    Known defects: squares forgive small leaks; a decoder that ignores all units but one scores 1, so read the number of
    live units beside it; an encoder and a decoder that share a mistake do not notice; nothing is said about factors: a
    rotation of a perfect code may score 1. The threshold of 0.05 is an arbitrary choice of ours.

    Raises ValueError for fewer than 2 rows or pairs, codes that are not finite, or of another number of rows or units.
    """
    if len(rows) < 2 or pairs < 2 or editor.units < 1:
        raise ValueError(
            f"expected 2 rows, 2 pairs and 1 unit or more, got {len(rows)} rows, {pairs} pairs, {editor.units} units."
        )
    first, second = random_pairs(rows, pairs, seed)
    shape = (pairs, editor.units)
    unedited = _encode(encode, editor.reconstruct(first), "reconstruct", shape)
    edited = (_encode(encode, editor.edit(first, second, unit), "edit", shape) for unit in range(editor.units))
    return consistency_of_codes(unedited, edited)


def random_pairs(rows: Rows, count: int, seed: int) -> tuple[PairRows, PairRows]:
    """Pairs of two different rows each, as `swap_consistency` draws them."""
    random = np.random.default_rng(seed)
    positions = random.integers(len(rows), size=count)
    return rows[positions], rows[(positions + random.integers(1, len(rows), size=count)) % len(rows)]


def consistency_of_codes(unedited: CodeArray, edited: Iterable[CodeArray]) -> SwapConsistency:
    """`swap_consistency` from the codes of unedited reconstructions, and of the same pairs after each unit's swap."""
    unedited, units = _finite(unedited), unedited.shape[1]
    variance = np.square(unedited - unedited.mean(0)).sum(2).mean(0)  # (unit)
    varies = (variance > 0) & (variance >= STILL_BELOW**2 * variance.max())
    changes = np.zeros((units, units))  # (swapped, changed)
    for unit, codes in enumerate(edited):
        changes[unit, varies] = np.square(_finite(codes) - unedited).sum((0, 2))[varies] / variance[varies]
    total = changes.sum(1, keepdims=True)
    landing = np.divide(changes, total, out=np.zeros_like(changes), where=total > 0)
    live = np.flatnonzero(varies & (total[:, 0] > 0))
    shares = np.where(varies, np.diag(landing), 0.0)
    return SwapConsistency(
        consistency=float(shares[live].mean()) if len(live) else 0.0,
        live=live.tolist(),
        shares=shares.tolist(),
        landing=landing.tolist(),
        spread=np.sqrt(variance).tolist(),
    )


def _finite(codes: CodeArray) -> CodeArray:
    types.check_finite(codes)
    return codes.astype(np.float64)


def _encode(encode: PixelEncoder, images: Pixels, source: str, shape: tuple[int, int]) -> CodeArray:
    pairs, units = shape
    if len(images) != pairs:
        raise ValueError(f"{source} gave {len(images)} images for {pairs} pairs; it must give one for each.")
    codes = np.asarray(encode(images))
    if codes.ndim not in (2, 3) or codes.shape[:2] != shape:
        raise ValueError(
            f"expected codes of shape [{pairs}, {units}] or [{pairs}, {units}, dim] of {pairs} images and {units} "
            f"units, got {list(codes.shape)}."
        )
    return codes.reshape(pairs, units, -1)
