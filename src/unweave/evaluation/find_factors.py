"""The factors of a run, found without labels: codes of its images, and what swaps of its units change in pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.nn.functional import adaptive_avg_pool2d

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import PAIRS, SwapPictures, swaps_of_rows
from unweave.factors.coordinate import fit_coordinate, position_of
from unweave.factors.evidence import Effects
from unweave.factors.factor import Factor
from unweave.factors.groups import STABLE_FROM, group_units
from unweave.factors.states import find_states
from unweave.method import Generative, Sampling
from unweave.progress import Task
from unweave.runs.codes import code_table
from unweave.runs.run import Run

SAMPLING = Sampling("dpmsolver++", 10)
ROWS = 5_000  # that are encoded
MAX_UNITS = 32  # that are grouped; the ones that vary most
PLACES = 16  # a side of the picture on which effects are compared


def find_factors(
    run: Run, dataset: Dataset, sampling: Sampling, seed: int, swaps: SwapPictures | None = None
) -> list[Factor]:
    """The factors of a run on images of a data set, the strongest first; no label is read.

    The units that vary most over 5,000 rows, at most 32, are grouped by `factors.groups.group_units`: by the dependence
    of their codes, and the likeness of what swaps of each change in 64 random pairs, all from the x_T of one seed. Each
    group has the coordinate and the states that its joint codes have. A factor's effect is the mean absolute change of
    pixels in [0, 1] where all of its units are swapped. `swaps` are drawn now unless they are given.

    Units that the method itself joins (`Method.joint_units`) are in one group.

    Of a method without a decoder the dependence alone groups, and the effect is the deviation of the joint code. Where
    the groups change with the rows and pairs, a message says so. Raises ValueError for fewer than two images.
    """
    rows = sample_rows(len(dataset), ROWS, seed)
    if len(rows) < 2:
        raise ValueError(f"{dataset.name} has {len(rows)} image: there is nothing that varies.")
    method = run.method()
    codes = code_table(run, dataset, rows, seed, "averaged")
    units = np.sort(np.argsort(-np.square(codes.std(0)).sum(1), kind="stable")[:MAX_UNITS])
    if swaps is None and isinstance(method, Generative):
        swaps = swaps_of_rows(RunEditor(method, dataset, sampling, seed), rows, PAIRS)
    with progress.task("finding factors", (2 * len(units) + 1) * PAIRS, "images") as task:
        effects = _spreads(codes[:, units]) if swaps is None else _effects(swaps, units.tolist(), task)
        grouped = group_units(codes[:, units], effects, seed, _places_of(method.joint_units, units))
        factors = list[Factor]()
        for number, group in enumerate(grouped.groups, len(units) + 1):
            members = tuple(units[list(group)].tolist())
            task.update(number * PAIRS, "swapping groups")
            joint = codes[:, list(members)].reshape(len(codes), -1)
            effect = float(np.sqrt(joint.var(0).sum())) if swaps is None else swap_effect(swaps, members)
            factors.append(factor_of_codes(members, effect, joint, seed))
    if not grouped.stable:
        progress.message(
            f"The grouping of units into factors is not stable: on other rows and pairs it agrees to "
            f"{grouped.stability:.2f} with this one (1 is the same; {STABLE_FROM} is stable)."
        )
    return sorted(factors, key=lambda factor: -factor.effect)


def _places_of(joint: Sequence[tuple[int, ...]], units: Int[np.ndarray, "unit"]) -> list[tuple[int, ...]]:
    """Where the units that are joined stand among those that are grouped."""
    return [tuple(np.flatnonzero(np.isin(units, group)).tolist()) for group in joint]


def factor_of_codes(
    units: tuple[int, ...], effect: float, joint: Float[np.ndarray, "rows number"], seed: int
) -> Factor:
    """A factor of these units and this effect, with the coordinate and the states that its joint codes have."""
    coordinate = fit_coordinate(joint, seed)
    states = () if coordinate is None else find_states(position_of(coordinate, joint), coordinate.closed)
    return Factor(units, effect, coordinate, states)


def swap_effect(swaps: SwapPictures, units: Sequence[int]) -> float:
    """The mean absolute change of pixels in [0, 1] where these units come from another image."""
    return float(np.abs(swaps.pixels(units).astype(np.float32) - swaps.unedited).mean() / 255)


def _effects(swaps: SwapPictures, units: Sequence[int], task: Task) -> Effects:
    """What the swap of each unit alone changes, in pixels in [0, 1], pooled to at most 16 places a side."""
    side = min(PLACES, *swaps.unedited.shape[1:3])
    changes = []
    for number, unit in enumerate(units, 1):
        task.update(number * len(swaps.first), f"swapping unit {unit}")
        change = (swaps.pixels([unit]).astype(np.float32) - swaps.unedited) / 255
        changes.append(adaptive_avg_pool2d(torch.from_numpy(change).permute(0, 3, 1, 2), side))
    return torch.stack(changes).numpy()


def _spreads(codes: Float[np.ndarray, "rows unit dim"]) -> Effects:
    """Effects of units whose pictures are unknown: each changes the same place, by its deviation."""
    spread = np.sqrt(codes.var(0).sum(1)).astype(np.float32)
    return np.broadcast_to(spread[:, None, None, None, None], (len(spread), 2, 1, 1, 1))
