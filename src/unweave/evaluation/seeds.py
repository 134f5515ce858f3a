"""What several training runs say together: a t-interval, which is noise of the method and not of a metric."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table
from scipy.stats import t


class Interval(NamedTuple):
    """The mean of runs, and where the mean of ever more of them is expected; None with fewer than three."""

    mean: float
    low: float | None
    high: float | None
    runs: int


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's interval of the mean over runs that differ in their seed.

    Supposes that the runs are independent and roughly normal; a score near the end of its range is not, so that the
    interval may leave the range. Two runs give a mean without an interval: theirs would be twelve times their gap.
    """
    array = np.asarray(values, np.float64)
    mean = float(array.mean())
    if len(array) < 3:
        return Interval(mean, None, None, len(array))
    reach = float(t.ppf(0.5 + confidence / 2, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Interval(mean, mean - reach, mean + reach, len(array))


def over_runs(scores: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Interval]]:
    """The interval of every score that all runs have, of the scores.json of each."""
    result: dict[str, dict[str, Interval]] = {}
    for protocol, measured in scores[0]["protocols"].items():
        for score in measured:
            values = [one["protocols"].get(protocol, {}).get(score, {}).get("value") for one in scores]
            if None not in values:
                result.setdefault(protocol, {})[score] = t_interval(values)
    return result


def table(intervals: Mapping[str, Mapping[str, Interval]]) -> Table:
    """For people."""
    runs = next((one.runs for measured in intervals.values() for one in measured.values()), 0)
    caption = (
        f"low and high: 95 % t-interval of the mean over {runs} runs: what other seeds of the method would give."
        if runs >= 3
        else f"means of {runs} runs; an interval needs three or more."
    )
    result = Table("protocol", "score", "mean", "low", "high", caption=caption)
    for protocol, measured in intervals.items():
        for i, (score, one) in enumerate(measured.items()):
            numbers = ["" if value is None else f"{value:.4g}" for value in (one.mean, one.low, one.high)]
            result.add_row("" if i else protocol, score, *numbers)
        result.add_section()
    return result
