"""Which factors and units the explorer shows, and what they are called."""

from collections.abc import Sequence

import numpy as np

from unweave.method import Method
from unweave.runs.factors import FACTOR_WORD, RunFactors, factor_title, read_factors
from unweave.runs.run import Run
from unweave.runs.unit_ranges import default_selection
from unweave.runs.units import UnitGroup, resolve_groups, unit_names

MAX_SLIDERS = 24  # for factors, and for the units that move or vary most


def words_to_show(run: Run, method: Method, found: RunFactors | None, *, has_data: bool) -> list[int | str]:
    """The factors that are shown, then those left over, then the live units but those that are a factor by themselves.

    Without data there are neither groups nor factors that only data tell how to move.
    """
    if found is None:
        return _live_units(run, method, has_data)
    rest = [index for index in range(len(found.factors)) if index not in found.shown()]
    listed = [*found.shown(), *(index for index in rest if not found.factors[index].hidden)]
    shown = [(found.word(index), found.factors[index]) for index in listed[:MAX_SLIDERS]]
    words = [word for word, factor in shown if has_data or factor.coordinate is not None or len(factor.units) == 1]
    alone = {str(factor.units[0]) for word, factor in shown if len(factor.units) == 1}
    return [*words, *(unit for unit in _live_units(run, method, has_data) if str(unit) not in alone)]


def current_names(run: Run, method: Method, count: int, units: Sequence[UnitGroup]) -> list[str]:
    """What factors and units are called now; a factor that was merged or split since is called as it was."""
    found, names = read_factors(run), unit_names(run)
    titles = {} if found is None else {
        factor.units: factor_title(found.word(index), factor) for index, factor in enumerate(found.factors)
    }  # fmt: skip
    return [
        titles.get(tuple(unit.units), unit.name)
        if FACTOR_WORD.fullmatch(unit.word)
        else resolve_groups(method.unit_groups, count, [unit.word], names)[0].name
        for unit in units
    ]


def _live_units(run: Run, method: Method, has_data: bool) -> list[int | str]:
    """The live units: as the run's report ranks them, where there is one of these weights, else by their range.

    Groups are measured on the data; where those are gone, there are single units.
    """
    quantiles = run.statistics().quantiles
    words: list[int | str] = list(range(quantiles.shape[1]))
    if has_data:
        words = default_selection(method, len(words))
    known = set(map(str, words))
    report = run.own_report()
    live: list[int | str] = []
    if report is not None:
        live += [unit.word for unit in report.in_state("live") if unit.word in known]
    if live:
        return live[:MAX_SLIDERS]
    if isinstance(words[0], str):
        return words[:MAX_SLIDERS]
    low, high = quantiles[[2, 98]]
    span = high - low
    order = np.argsort(-span, kind="stable")
    moving: list[int | str] = [int(unit) for unit in order if span[unit] >= 0.05 * span.max()]
    return moving[:MAX_SLIDERS]
