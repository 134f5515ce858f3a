"""What a decoder makes of units: swaps, traversals and reconstructions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from unweave.evaluation.metrics.image.mse import mse
from unweave.evaluation.metrics.image.psnr import psnr
from unweave.evaluation.metrics.swap_consistency import consistency_of_codes
from unweave.evaluation.report.pictures import Strip
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import SwapPictures
from unweave.progress import Task
from unweave.runs.report_facts import PixelError, Reconstruction, SwapEffect
from unweave.runs.unit_ranges import UnitValues, encode_packed
from unweave.runs.units import UnitGroup
from unweave.tensors import to_pixels
from unweave.types import Rows

TRAVERSED, STEPS = 3, 7  # images whose units are traversed, and the steps of it
REBUILT, REBUILT_SHOWN = 32, 8  # images that are rebuilt, and those of them that are shown


@dataclass(frozen=True)
class SwapMeasures:
    """What swaps of every group (or single unit) do to pictures, and to the codes that are read back from them."""

    effects: list[SwapEffect]
    consistency: float  # the mean over the groups that vary in rebuilt pictures
    maps: Float[np.ndarray, "group height width"]  # mean absolute change of pixels in [0, 1]


def swapped_images(swaps: SwapPictures, groups: Sequence[UnitGroup], omitted: list[int]) -> int:
    """How many images `measure_swaps` has to draw: of each group, and of the rest."""
    return sum(swaps.drawing(units) for units in [*(group.units for group in groups), *([omitted] if omitted else [])])


def measure_swaps(swaps: SwapPictures, groups: Sequence[UnitGroup], omitted: list[int], task: Task) -> SwapMeasures:
    """Swaps from the second row into the first of each pair. The `omitted` units are swapped too, all at once, so that
    what lands in them is counted. The task counts images that are drawn.
    """
    swapped = [*groups, UnitGroup("the rest", omitted, "rest")] if omitted else list(groups)
    method, unedited = swaps.editor.method, swaps.unedited
    unedited_codes = encode_packed(method, unedited, swapped)
    maps, codes, drawn = [], [], 0
    for group in swapped:
        drawn += swaps.drawing(group.units)
        task.update(drawn, f"swapping {group.name}")
        edited = swaps.pixels(group.units)
        maps.append(np.abs(edited.astype(np.float32) - unedited).mean((0, 3)) / 255)
        codes.append(encode_packed(method, edited, swapped))
    measured = consistency_of_codes(unedited_codes, codes)
    readable = [i for i in measured.live if i < len(groups)]
    group_maps = np.stack(maps[: len(groups)]).astype(np.float64)
    amounts = group_maps.mean((1, 2))
    effects = [
        SwapEffect(
            amount=float(amount),
            share=float(amount / max(amounts.sum(), 1e-12)),
            consistency=measured.shares[i] if i in readable else None,
        )
        for i, amount in enumerate(amounts)
    ]
    consistency = float(np.mean([measured.shares[i] for i in readable])) if readable else 0.0
    return SwapMeasures(effects, consistency, group_maps)


def traversal_strips(
    editor: RunEditor, measured: UnitValues, positions: Sequence[int], rows: Rows
) -> dict[str, list[Strip]]:
    """By the word of each of these groups: of each of three images, the group from its 2 % to its 98 % quantile."""
    rows = rows[:TRAVERSED]
    shares = np.linspace(0.02, 0.98, STEPS).tolist()
    lines = [measured.range_of(i).codes_at(shares) for i in positions]
    frames = editor.traverse(rows, [measured.groups[i].units for i in positions], lines)
    return {
        measured.groups[i].word: [to_pixels(steps[:, image]) for image in range(len(rows))]
        for i, steps in zip(positions, frames)  # (step, image, channel, height, width)
    }


def measure_reconstruction(editor: RunEditor, rows: Rows) -> tuple[Reconstruction, dict[str, Strip]]:
    """Errors of images from their units alone, and from the inverted x_T; and the first of them, by a caption."""
    rows = rows[:REBUILT]
    originals = to_pixels(editor.images(rows))

    def error(rebuilt: Strip) -> PixelError:
        return PixelError(mse(originals, rebuilt)["mse"], psnr(originals, rebuilt, data_range=255)["psnr"])

    units_alone = to_pixels(editor.reconstruct(rows))
    shown = {"image": originals[:REBUILT_SHOWN], "units alone": units_alone[:REBUILT_SHOWN]}
    if not editor.has_start():  # nothing but units: both are the same
        return Reconstruction(error(units_alone), None), shown
    inverted = to_pixels(replace(editor, seed=None).reconstruct(rows))
    shown["units and inverted x_T"] = inverted[:REBUILT_SHOWN]
    return Reconstruction(error(units_alone), error(inverted)), shown
