"""The factors of a run, found without labels: codes of its images, and what swaps of its units change in pictures."""

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.evaluation.metrics.swap_consistency import random_pairs
from unweave.evaluation.run_editor import RunEditor
from unweave.factors.coordinate import fit_coordinate, position_of
from unweave.factors.evidence import Effects
from unweave.factors.factor import Factor
from unweave.factors.groups import STABLE_FROM, group_units
from unweave.factors.states import find_states
from unweave.method import Sampling
from unweave.progress import Task
from unweave.runs.codes import check_generative, code_table
from unweave.runs.run import Run
from unweave.tensors import Images
from unweave.types import Rows

SAMPLING = Sampling("dpmsolver++", 10)
ROWS = 5_000  # that are encoded
PAIRS = 64  # of images, whose units are swapped
MAX_UNITS = 32  # that are grouped; the ones that vary most
PLACES = 16  # a side of the picture on which effects are compared


def find_factors(run: Run, dataset: Dataset, sampling: Sampling, seed: int) -> list[Factor]:
    """The factors of a run on images of a data set, the strongest first; no label is read.

    The units that vary most over 5,000 rows, at most 32, are grouped by `factors.groups.group_units`: by the dependence
    of their codes, and the likeness of what swaps of each change in 64 random pairs, all from the x_T of one seed. Each
    group has the coordinate and the states that its joint codes have. A factor's effect is the mean absolute change of
    pixels in [0, 1] where all of its units are swapped.

    Where the groups change with the rows and pairs, a message says so. Raises TypeError for a method without a decoder,
    ValueError for fewer than two images.
    """
    rows = sample_rows(len(dataset), ROWS, seed)
    if len(rows) < 2:
        raise ValueError(f"{dataset.name} has {len(rows)} image: there is nothing that varies.")
    method = check_generative(run.method(), run)
    codes = code_table(run, dataset, rows, seed, "averaged")
    units = np.sort(np.argsort(-np.square(codes.std(0)).sum(1), kind="stable")[:MAX_UNITS])
    editor = RunEditor(method, dataset, sampling, seed)
    pairs = random_pairs(np.random.default_rng(seed).permutation(rows), PAIRS, seed)
    with progress.task("finding factors", (2 * len(units) + 1) * PAIRS, "images") as task:
        unedited = editor.reconstruct(pairs[0])
        effects = _effects(editor, units.tolist(), pairs, unedited, task)
        grouped = group_units(codes[:, units], effects, seed)
        factors: list[Factor] = []
        for group in grouped.groups:
            members = tuple(units[list(group)].tolist())
            task.update((len(units) + 1 + len(factors)) * PAIRS, "swapping groups")
            changed = editor.swap(*pairs, members) - unedited
            factors.append(_factor(members, float(changed.abs().mean() / 2), codes, seed))
    if not grouped.stable:
        progress.message(
            f"The grouping of units into factors is not stable: on other rows and pairs it agrees to "
            f"{grouped.stability:.2f} with this one (1 is the same; {STABLE_FROM} is stable)."
        )
    return sorted(factors, key=lambda factor: -factor.effect)


def _factor(units: tuple[int, ...], effect: float, codes: np.ndarray, seed: int) -> Factor:
    joint = codes[:, list(units)].reshape(len(codes), -1)
    coordinate = fit_coordinate(joint, seed)
    states = () if coordinate is None else find_states(position_of(coordinate, joint), coordinate.closed)
    return Factor(units, effect, coordinate, states)


def _effects(editor: RunEditor, units: list[int], pairs: tuple[Rows, Rows], unedited: Images, task: Task) -> Effects:
    """What the swap of each unit alone changes, in pixels in [0, 1], pooled to at most 16 places a side."""
    side = min(PLACES, *unedited.shape[2:])
    changes = []
    for number, unit in enumerate(units):
        task.update((number + 1) * PAIRS, f"swapping unit {unit}")
        changes.append(adaptive_avg_pool2d((editor.swap(*pairs, [unit]) - unedited) / 2, side))
    return torch.stack(changes).float().cpu().numpy()
