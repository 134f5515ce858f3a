"""ModelCentrality of runs that can draw: each reads the pictures of the others, in which one unit is held fixed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from unweave import progress
from unweave.data.sampling import sample_rows
from unweave.devices import best_device
from unweave.editing.decoding import decode
from unweave.evaluation.factor_swaps import SAMPLING
from unweave.evaluation.metrics.model_centrality import centrality, vote_accuracy
from unweave.method import Sampling, evaluating
from unweave.runs.codes import check_generative, encode_rows
from unweave.runs.run import Run
from unweave.runs.unit_ranges import encode_packed, most_varying
from unweave.runs.units import UnitGroup, resolve_groups
from unweave.tensors import to_pixels
from unweave.types import Pixels

GROUPS, IMAGES = 200, 8
"""Groups of pictures with one unit held fixed, each unit in turn, and the pictures of a group."""

ROWS = 2_000  # whose codes pictures are drawn from
MAX_UNITS = 32  # that are held fixed and vote; the ones that vary most


class DrawnGroups(NamedTuple):
    """Pictures of a run, and which of its units each group holds fixed."""

    pixels: Pixels
    fixed: Int[np.ndarray, "groups"]
    units: list[UnitGroup]


def model_centrality(
    runs: Sequence[Run], *, sampling: Sampling = SAMPLING, seed: int = 0
) -> Float[np.ndarray, "models"]:
    """How close each of three or more runs is to the others, in [0, 1]; no labels (see `metrics.model_centrality`).

    Each draws 200 groups of 8 pictures, each unit from an image of its own at random but for one, which the pictures of
    a group share; units with a group of the method's count as one. Deviates from the paper, whose models draw 1,000
    groups of 100 from their prior: codes of images are there for every method. Raises TypeError for a run without a
    decoder, ValueError for fewer than three runs and for runs of other image sizes.
    """
    shapes = {run.dataset().shape for run in runs}
    if len(shapes) > 1:
        raise ValueError(f"runs read each other's pictures, which must be of one size; got {sorted(shapes)}.")
    accuracy = np.zeros((len(runs), len(runs)))
    with progress.task("measuring centrality", 2 * len(runs), "runs") as task:
        drawn = list[DrawnGroups]()
        for run in runs:
            task.update(len(drawn), f"drawing with {run.path.name}")
            drawn.append(_draw(run, sampling, seed))
        for i, run in enumerate(runs):
            task.update(len(runs) + i, f"reading with {run.path.name}")
            method = run.method()
            for j, pictures in enumerate(drawn):
                if i != j:
                    codes = encode_packed(method, pictures.pixels, drawn[i].units)
                    accuracy[i, j] = vote_accuracy(codes.reshape(GROUPS, IMAGES, *codes.shape[1:]), pictures.fixed)
    return centrality(accuracy)


def _draw(run: Run, sampling: Sampling, seed: int) -> DrawnGroups:
    method, dataset = check_generative(run.method(), run), run.dataset()
    codes = encode_rows(method, dataset, sample_rows(len(dataset), ROWS, seed))
    groups = most_varying(codes, resolve_groups(method.unit_groups, codes.shape[1], None, {}), MAX_UNITS)
    fixed = np.arange(GROUPS) % len(groups)
    source = _sources(len(codes), codes.shape[1], [group.units for group in groups], fixed, seed)
    mixed = codes[source, np.arange(codes.shape[1])].reshape(GROUPS * IMAGES, *codes.shape[1:])
    with evaluating(method):
        start = method.start(len(mixed), torch.Generator().manual_seed(seed))
        units = torch.from_numpy(mixed).to(best_device())
        images = decode(method, units, start, sampling=sampling, batch=64)
    return DrawnGroups(to_pixels(images), fixed, groups)


def _sources(
    rows: int, count: int, groups: Sequence[Sequence[int]], fixed: Int[np.ndarray, "groups"], seed: int
) -> Int[np.ndarray, "groups images unit"]:
    """Which row each unit of each picture comes from."""
    source = np.random.default_rng(seed).integers(rows, size=(len(fixed), IMAGES, count))
    for number, units in enumerate(map(np.array, groups)):
        source[:, :, units] = source[:, :, units[:1]]
        held = np.flatnonzero(fixed == number)
        source[np.ix_(held, np.arange(IMAGES), units)] = source[held, 0, units[0]][:, None, None]
    return source
