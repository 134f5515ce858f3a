"""Whether the verdicts on a run can be trusted: what they say of the run once it is spoilt in known ways."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unweave import progress
from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.evaluation.factor_swaps import SAMPLING, judge_factors
from unweave.evaluation.find_factors import SAMPLING as FINDING
from unweave.evaluation.find_factors import find_factors
from unweave.evaluation.spoilt import SpoiltMethod, turning
from unweave.factors.factor import Factor
from unweave.factors.verdict import MIN_ROWS
from unweave.method import Generative, Sampling
from unweave.runs.codes import check_generative, encode_rows
from unweave.runs.data import dataset_for
from unweave.runs.factors import current_factors
from unweave.runs.run import Run

ROWS, TRIALS, NOISE = 3_000, 5, 2


@dataclass(frozen=True)
class SpoiltTrial:
    """One spoilt run: which factors were turned into each other, what the verdicts were, and what they should be."""

    turned: tuple[int, int]  # factors, by number
    doubled: int  # a unit
    noticed: list[bool]  # of each spoilt factor: the two, the doubled unit and its copy by themselves, the noise
    kept: list[bool]  # of each other factor: its verdict is that of the run as it is


@dataclass(frozen=True)
class VerdictCheck:
    """What verdicts say of a run whose factors are spoilt, in some trials."""

    clear: int  # factors of the run as it is
    trials: list[SpoiltTrial]

    @property
    def noticed(self) -> float:
        """The share of spoilt factors that are no longer clear, over all trials."""
        return float(np.mean([seen for trial in self.trials for seen in trial.noticed]))

    @property
    def kept(self) -> float:
        """The share of other factors whose verdict stays; 1 where there are none."""
        kept = [stays for trial in self.trials for stays in trial.kept]
        return float(np.mean(kept)) if kept else 1.0

    def to_json(self) -> dict[str, Any]:
        return {"clear": self.clear, "noticed": self.noticed, "kept": self.kept, "trials": asdict(self)["trials"]}


def check_verdicts(
    run: Run | str | Path, *, data: str | None = None, sampling: Sampling = SAMPLING, seed: int = 0
) -> VerdictCheck:
    """The factors of a run are judged (on other images than its own, if given), then spoilt and judged again.

    They are the stored ones of its newest weights, with what was merged and split by hand; where there are none they
    are found, and not kept. See `spoil_factors`. No label is read. Raises TypeError for a method without a decoder,
    ValueError for fewer than 1,000 images and for fewer than two clear factors.
    """
    run = run if isinstance(run, Run) else Run(run)
    dataset, method = dataset_for(run, data), check_generative(run.method(), run)
    if len(dataset) < MIN_ROWS:
        raise ValueError(f"a verdict needs {MIN_ROWS:,} images or more, and {dataset.name} has {len(dataset)}.")
    stored = current_factors(run)
    factors = find_factors(run, dataset, FINDING, seed) if stored is None else stored.factors
    return spoil_factors(method, dataset, factors, sampling=sampling, seed=seed)


def spoil_factors(
    method: Generative,
    dataset: Dataset,
    factors: Sequence[Factor],
    *,
    sampling: Sampling = SAMPLING,
    seed: int = 0,
    trials: int = TRIALS,
) -> VerdictCheck:
    """In each of some trials two clear factors are turned into each other by 45 degrees, a unit is doubled, and two
    units of noise are added (`SpoiltMethod`); pairs are drawn at random, and no pair twice.

    A turned factor is noticed where its verdict is no longer "one thing"; a doubled unit where neither it, if it is a
    factor by itself, nor its copy is "one thing"; noise where it is not. Units keep their factors, so it is the verdict
    that is tried, not the grouping. Raises ValueError where fewer than two factors are clear.
    """
    rows = np.random.default_rng(seed).permutation(sample_rows(len(dataset), ROWS, seed))
    codes = encode_rows(method, dataset, rows)
    before = judge_factors(method, codes, factors, sampling=sampling, seed=seed)
    clear = [number for number, factor in enumerate(before) if factor.verdict == "one thing"]
    pairs = list(combinations(clear, 2))
    if not pairs:
        raise ValueError(f"verdicts are checked by turning two clear factors into each other; {len(clear)} are clear.")
    rng = np.random.default_rng(seed)
    done = []
    with progress.task("spoiling the run", min(trials, len(pairs)), "trials") as task:
        for turned in rng.permutation(pairs)[:trials].tolist():
            one, other = (before[number].numbers(codes.shape[2]) for number in turned)
            turn = torch.from_numpy(turning(codes.reshape(len(codes), -1), one, other))
            rest = [unit for i, factor in enumerate(before) if i not in turned for unit in factor.units]
            doubled = int(rng.choice(_doubling(before, turned) or rest or before[turned[0]].units))
            spoilt = SpoiltMethod(method, turn, doubled, NOISE)
            added = [Factor((codes.shape[1] + i,), 0.0) for i in range(1 + NOISE)]
            after = judge_factors(
                spoilt, encode_rows(spoilt, dataset, rows), [*before, *added], sampling=sampling, seed=seed
            )
            done.append(_compare(before, after, (turned[0], turned[1]), doubled))
            task.update(len(done))
    return VerdictCheck(len(clear), done)


def _doubling(factors: Sequence[Factor], turned: Sequence[int]) -> list[int]:
    """Units of the other clear factors, those that are one unit where there are such."""
    clear = [f for i, f in enumerate(factors) if i not in turned and f.verdict == "one thing"]
    return [f.units[0] for f in clear if len(f.units) == 1] or [unit for f in clear for unit in f.units]


def _compare(before: Sequence[Factor], after: Sequence[Factor], turned: tuple[int, int], doubled: int) -> SpoiltTrial:
    alone = {i for i, factor in enumerate(before) if factor.units == (doubled,)}
    touched = {i for i, factor in enumerate(before) if doubled in factor.units}
    spoilt = sorted({*turned, *alone} | set(range(len(before), len(after))))
    return SpoiltTrial(
        turned=turned,
        doubled=doubled,
        noticed=[after[i].verdict != "one thing" for i in spoilt],
        kept=[
            after[i].verdict == factor.verdict
            for i, factor in enumerate(before)
            if i not in turned and i not in touched
        ],
    )
