"""The factors of a run: found where they are not yet, and merged and split by hand, when they are measured again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from unweave import progress
from unweave.data.sampling import sample_rows
from unweave.evaluation.factor_swaps import judge_run
from unweave.evaluation.find_factors import ROWS, SAMPLING, factor_of_codes, find_factors, swap_effect
from unweave.evaluation.run_editor import RunEditor
from unweave.evaluation.swap_pictures import SwapPictures, swaps_of_rows
from unweave.factors.factor import Factor
from unweave.files import check_writable
from unweave.method import Generative, Sampling
from unweave.runs.codes import code_table
from unweave.runs.factors import (
    FACTORS_FILE,
    RunFactors,
    are_current,
    change_factors,
    keep_by_hand,
    read_factors,
    require_factors,
    with_measurements,
    write_factors,
)
from unweave.runs.lock import BusyError, one_writer
from unweave.runs.run import Run
from unweave.runs.units import UnitSelection, list_units

PAIRS = 32  # of images, between which the units of a factor are swapped


def factors_of(
    run: Run | str | Path,
    *,
    again: bool = False,
    seed: int = 0,
    sampling: Sampling = SAMPLING,
    swaps: SwapPictures | None = None,
) -> RunFactors:
    """The factors of a run, the strongest first: as they are stored, or found now where they never were.

    `again` finds them anew, as is needed after further training: names and what is hidden stay where a factor has the
    same units as before, and factors that were merged or split by hand are as found. Takes no label. `swaps` of
    this seed and sampling are not drawn again.
    """
    run = run if isinstance(run, Run) else Run(run)
    before = read_factors(run)
    if before is not None and not again:
        return before
    check_writable(run.path / FACTORS_FILE)
    dataset = run.dataset()
    factors = judge_run(run, dataset, find_factors(run, dataset, sampling, seed, swaps), seed)
    with one_writer(run.path):
        before = read_factors(run)
        found = RunFactors(tuple(factors), run.digest(), min(ROWS, len(dataset)), seed)
        kept = keep_by_hand(found, before)
        write_factors(run, kept)
    names = [factor.name for factor in kept.factors]
    old = [] if before is None else [factor.name for factor in before.factors]
    if lost := [name for name in old if name is not None and name not in names]:
        progress.message(f"no factor has just the units any more that were called {', '.join(lost)}.")
    return kept


def judge_again(run: Run) -> RunFactors:
    """The stored factors, all judged together where one has no verdict, as after a merge; the rest of them stays.

    Raises LookupError where they were never found and where the data are gone, ValueError for factors of earlier
    weights.
    """
    found = require_factors(run)
    check_current(run, found)
    if all(factor.verdict is not None for factor in found.factors):
        return found
    judged = judge_run(run, run.dataset(), found.factors, found.seed)
    return change_factors(run, lambda stored: with_measurements(stored, judged))


def merge_factors(run: Run | str | Path, factors: str | Sequence[str]) -> RunFactors:
    """Make one factor of several, by word or name, in the place of the first of them; those after it move up.

    Its curve and states are fitted again to the codes of the rows that the factors were found on, and its effect is
    measured with 32 swaps. It keeps a name that one of them had, and has no verdict until the next report. Raises
    ValueError for fewer than two factors and for factors of earlier weights, LookupError for one that is not there and
    where the data are gone, BusyError where the factors were changed meanwhile.
    """
    run = run if isinstance(run, Run) else Run(run)

    def change(found: RunFactors) -> RunFactors:
        check_current(run, found)
        indices = list(dict.fromkeys(found.index(str(factor)) for factor in list_units(factors, {})))
        if len(indices) < 2:
            raise ValueError(f"it takes two factors to merge, got {factors!r}.")
        parts, first = [found.factors[index] for index in indices], min(indices)
        name = next((part.name for part in parts if part.name is not None), None)
        merged = measure_factor(run, found, [unit for part in parts for unit in part.units]).named(name)
        kept = enumerate(found.with_factor(first, merged).factors)
        return replace(found, factors=tuple(f for i, f in kept if i == first or i not in indices))

    return replace_factors(run, change)


def split_factor(run: Run | str | Path, factor: str, units: UnitSelection) -> RunFactors:
    """Take units, by number, out of a factor: they become the last factor of the run, the others keep place and name.

    Both are measured as `merge_factors` does. Raises ValueError unless the units are some of the factor's but not all,
    and for factors of earlier weights; LookupError for a factor that is not there and where the data are gone;
    BusyError where the factors were changed meanwhile.
    """
    run = run if isinstance(run, Run) else Run(run)
    try:
        taken = {int(unit) for unit in list_units(units, {})}
    except ValueError:
        raise ValueError(f"units are split off by number, such as 3,8; got {units!r}.") from None

    def change(found: RunFactors) -> RunFactors:
        check_current(run, found)
        index = found.index(factor)
        whole = found.factors[index]
        if not taken or not taken < set(whole.units):
            listed = ", ".join(map(str, whole.units))
            raise ValueError(f"{factor} has the units {listed}: split off some of them and not all; got {units}.")
        stays = [unit for unit in whole.units if unit not in taken]
        rest, part = (measure_factor(run, found, part) for part in (stays, list(taken)))
        changed = found.with_factor(index, rest.named(whole.name))
        return replace(changed, factors=(*changed.factors, part))

    return replace_factors(run, change)


def replace_factors(run: Run, change: Callable[[RunFactors], RunFactors]) -> RunFactors:
    """The stored factors after a change that takes minutes, during which others may write; then it is written.

    Raises BusyError where the factors were changed meanwhile, LookupError where they were never found.
    """
    found = require_factors(run)
    changed = change(found)

    def put(now: RunFactors) -> RunFactors:
        if now.to_json() != found.to_json():
            raise BusyError(f"the factors of {run.path} were changed while these were measured: try again.")
        return changed

    return change_factors(run, put)


def measure_factor(run: Run, found: RunFactors, units: Sequence[int]) -> Factor:
    """A factor of these units: its curve and states over the rows of `found`, and its effect.

    Of a method without a decoder the effect is the deviation of the joint code.
    """
    dataset, units, method = run.dataset(), sorted(units), run.method()
    rows = sample_rows(len(dataset), found.rows, found.seed)
    codes = code_table(run, dataset, rows, found.seed, "averaged")[:, units].reshape(len(rows), -1)
    if isinstance(method, Generative):
        swaps = swaps_of_rows(RunEditor(method, dataset, SAMPLING, found.seed), rows, PAIRS)
        with progress.task("measuring the factor", 2 * PAIRS, "images"):
            effect = swap_effect(swaps, units)
    else:
        effect = float(np.sqrt(codes.var(0).sum()))
    return factor_of_codes(tuple(units), effect, codes, found.seed)


def check_current(run: Run, found: RunFactors) -> None:
    """Raises ValueError for factors of earlier weights."""
    if not are_current(run, found):
        raise ValueError(
            f"the factors are of the weights before further training: `unweave factors {run.path} find` first."
        )
