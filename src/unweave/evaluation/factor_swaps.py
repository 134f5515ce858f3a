"""Swaps of whole factors between rows, read again: what the verdict on each factor rests on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.devices import best_device
from unweave.editing.decoding import decode
from unweave.evaluation.find_factors import ROWS
from unweave.evaluation.metrics.swap_consistency import CodeArray
from unweave.factors.factor import Factor
from unweave.factors.verdict import MIN_ROWS, RebuiltRows, SwapEvidence, SwappedRows, judge, weigh_swaps
from unweave.method import Generative, Sampling, Start, evaluating
from unweave.runs.codes import code_table, encode_images
from unweave.runs.run import Run
from unweave.tensors import to_images, to_pixels
from unweave.types import Pixels, Rows, WideTable

SAMPLING = Sampling("dpmsolver++", 3)
BANK, SWAPPED = 1_400, 200  # rows that are rebuilt, and others that every factor is swapped in
BATCH = 64
HOLDS_FROM = 0.05  # of the mean difference of two pictures, which the strongest factor must change
DIFFERING = 128  # pairs of pictures by which that difference is measured


def judge_factors(
    method: Generative, codes: CodeArray, factors: Sequence[Factor], *, sampling: Sampling = SAMPLING, seed: int = 0
) -> list[Factor]:
    """The factors with a verdict each, in their order (see `factors.verdict.judge`).

    `codes` are those of rows of a data set, as `runs.codes.code_table` gives them, best 3,000 or more. Raises
    ValueError for fewer than 1,000.
    """
    verdicts = judge(swap_evidence(method, codes, factors, sampling=sampling, seed=seed))
    return [replace(factor, verdict=verdict) for factor, verdict in zip(factors, verdicts)]


def judge_run(run: Run, dataset: Dataset, factors: Sequence[Factor], seed: int) -> list[Factor]:
    """`judge_factors` of a run, on the rows that its factors were found on.

    None of them has a verdict where there are fewer than 1,000 rows, or no decoder. All are left over where even the
    strongest changes the pictures by less than 5 % of what two of them differ, as of pictures of noise: each unit may
    then be read back from what it draws, and none says anything of the pictures.
    """
    rows, method = sample_rows(len(dataset), ROWS, seed), run.method()
    if len(rows) < MIN_ROWS or not isinstance(method, Generative):
        return [replace(factor, verdict=None) for factor in factors]
    strongest = max((factor.effect for factor in factors), default=0.0)
    if strongest < HOLDS_FROM * picture_difference(dataset, rows, seed):
        progress.message(f"no factor is clear: the units hold next to nothing of {dataset.name}, or not yet.")
        return [replace(factor, verdict="leftover") for factor in factors]
    codes = code_table(run, dataset, rows, seed, "averaged")
    return judge_factors(method, codes, factors, seed=seed)


def picture_difference(dataset: Dataset, rows: Rows, seed: int) -> float:
    """The mean absolute difference of two pictures, over pixels in [0, 1] and 128 random pairs of these rows."""
    first, second = np.random.default_rng(seed).choice(rows, (2, DIFFERING))
    return float(np.abs(dataset.images(first).astype(np.float32) - dataset.images(second)).mean() / 255)


def swap_evidence(
    method: Generative, codes: CodeArray, factors: Sequence[Factor], *, sampling: Sampling = SAMPLING, seed: int = 0
) -> list[SwapEvidence]:
    """What swaps of each factor show (see `factors.verdict.weigh_swaps`).

    1,400 rows are rebuilt, and 200 others with every factor in turn taken from rows that were not rebuilt, all from one
    x_T of this seed; of fewer than 2,000 rows seven tenths and a tenth. Raises ValueError for fewer than 1,000 rows.
    """
    if len(codes) < MIN_ROWS:
        raise ValueError(f"a verdict needs {MIN_ROWS:,} rows or more, got {len(codes)}.")
    rng = np.random.default_rng(seed)
    codes = codes[rng.permutation(len(codes))]
    bank, end = (min(most, int(part * len(codes))) for most, part in ((BANK, 0.7), (BANK + SWAPPED, 0.8)))
    own, drawer = codes[bank:end], Drawer(method, sampling, seed)
    partners = codes[rng.integers(end, len(codes), (len(factors), len(own)))]  # (factor, row, unit, dim)
    with progress.task("judging factors", end + len(factors) * len(own), "images") as task:
        rebuilt_bank, pictures = np.split(drawer.draw(codes[:end]), [bank])
        rebuilt = RebuiltRows(rebuilt_bank, pictures, _flat(own), _flat(drawer.read(pictures)))
        swaps, dim = [], codes.shape[2]
        for number, factor in enumerate(factors):
            task.update(end + number * len(own), f"swapping factor {number + 1}")
            given, units = own.copy(), list(factor.units)
            given[:, units] = partners[number][:, units]
            edited = drawer.draw(given)
            numbers = factor.numbers(dim)
            on_curve = factor.coordinate is not None or len(numbers) == 1
            swaps.append(SwappedRows(numbers, on_curve, edited, _flat(given), _flat(drawer.read(edited))))
    return weigh_swaps(rebuilt, swaps, _flat(codes), seed)


class Drawer:
    """Codes to pictures and back, all pictures from one x_T."""

    def __init__(self, method: Generative, sampling: Sampling, seed: int) -> None:
        self.method, self.sampling = method, sampling
        self.start: Start = method.start(1, torch.Generator().manual_seed(seed))

    def draw(self, codes: CodeArray) -> Pixels:
        units = torch.from_numpy(codes).float().to(best_device())
        start = self.start.expand(len(units), *self.start.shape[1:]) if isinstance(self.start, Tensor) else self.start
        with evaluating(self.method):
            return to_pixels(decode(self.method, units, start, sampling=self.sampling, batch=BATCH))

    def read(self, pictures: Pixels) -> CodeArray:
        with evaluating(self.method):
            return encode_images(self.method, to_images(pictures, best_device()), BATCH).float().cpu().numpy()


def _flat(codes: CodeArray) -> WideTable:
    return codes.reshape(len(codes), -1)
