"""What several training runs say together: a t-interval, which is noise of the method and not of a metric."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t


class Interval(NamedTuple):
    """The mean of runs, and where the mean of ever more of them is expected; None with fewer than three."""

    mean: float
    low: float | None
    high: float | None
    runs: int


Intervals = Mapping[str, Mapping[str, Interval]]
"""Protocol -> score -> its interval over runs."""


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
    intervals: dict[str, dict[str, Interval]] = {}
    for protocol, first in scores[0]["protocols"].items():
        for score in first:
            values = [run["protocols"].get(protocol, {}).get(score, {}).get("value") for run in scores]
            if None not in values:
                intervals.setdefault(protocol, {})[score] = t_interval(values)
    return intervals
