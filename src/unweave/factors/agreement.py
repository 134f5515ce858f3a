"""How far a position on a factor's curve and a measurement tell the same, where either may lie on a circle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from unweave.factors.factor import Mode

CUTS = 12  # places at which a circle is cut to be compared with a line
BINS = 16  # of a measurement, equally full, at most; fewer where there are not ROWS_A_BIN rows for each
ROWS_A_BIN = 8
SHUFFLES = 200
QUANTILE = 0.99  # of the largest agreement that shuffled positions have with any measurement

Values = Float[np.ndarray, "rows"]


@dataclass(frozen=True)
class Ranks:
    """The ranks of values, so that any rising function of them is the same; undefined values count as the middle."""

    linear: Float[np.ndarray, "rows cut"]  # centred, of length 1; of a circle, cut open at several places
    circular: Complex[np.ndarray, "rows"] | None  # on the unit circle; None of a line

    def shuffled(self, order: Int[np.ndarray, "rows"]) -> "Ranks":
        return Ranks(self.linear[order], None if self.circular is None else self.circular[order])


def ranks_of(values: Values, circular: bool) -> Ranks:
    """Ranks of values that may be NaN; those on a circle start anywhere on it."""
    from scipy.stats import rankdata

    known = np.isfinite(values)
    share = (rankdata(values[known]) - 0.5) / max(known.sum(), 1)  # in (0, 1)
    cuts = np.arange(CUTS) / CUTS if circular else np.zeros(1)
    linear = np.zeros((len(values), len(cuts)))
    linear[known] = (share[:, None] - cuts) % 1 - 0.5
    linear[known] -= linear[known].mean(0) if known.any() else 0
    length = np.sqrt((linear**2).sum(0))
    angles = np.zeros(len(values), complex)
    angles[known] = np.exp(2j * np.pi * share)
    return Ranks(linear / np.where(length > 0, length, 1), angles if circular else None)


def rank_agreement(one: Ranks, other: Ranks) -> float:
    """In [0, 1]: of two lines the absolute rank correlation (Spearman); of a circle and a line the largest over twelve
    places to cut the circle; of two circles the rank correlation of Mardia and Jupp (Directional Statistics, 11.2.2),
    the length of the mean difference, or sum, of uniform scores.
    """
    if one.circular is None or other.circular is None:
        return float(np.abs(one.linear.T @ other.linear).max())
    difference, total = np.vdot(one.circular, other.circular), one.circular @ other.circular
    return float(max(abs(difference), abs(total)) / len(one.circular))


@dataclass(frozen=True)
class Classes:
    """The class of every row, as ones and zeros."""

    of_rows: Float[np.ndarray, "rows class"]

    @property
    def entropy(self) -> float:
        """In nats."""
        shares = self.of_rows.mean(0)
        return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def state_classes(positions: Values, states: Sequence[Mode], closed: bool) -> Classes:
    """The nearest state of every row."""
    away = np.abs(positions[:, None] - np.array([state.position for state in states]))
    away = np.minimum(away, 1 - away) if closed else away
    return Classes(np.eye(len(states))[away.argmin(1)])


def bin_classes(values: Values) -> Classes:
    """Equally full bins of a measurement, and one more for undefined values."""
    count = min(BINS, max(2, len(values) // ROWS_A_BIN))
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, np.arange(1, count) / count)) if len(known) else np.zeros(0)
    bins = np.where(np.isfinite(values), np.searchsorted(edges, values), len(edges) + 1)
    return Classes(np.eye(len(edges) + 2)[bins])


def chance_information(states: Classes, bins: Classes) -> float:
    """The mutual information in nats that independent classes of these sizes have on average."""
    from sklearn.metrics.cluster import expected_mutual_information

    table = states.of_rows.T @ bins.of_rows
    table = table[table.any(1)][:, table.any(0)]
    return float(expected_mutual_information(table, len(states.of_rows)))


def adjusted_information(states: Classes, bins: Classes, chance: float) -> float:
    """Adjusted mutual information in [0, 1], normalised by the entropy of the states, since bins may be finer."""
    joint = states.of_rows.T @ bins.of_rows / len(states.of_rows)
    independent = np.outer(joint.sum(1), joint.sum(0))
    there = joint > 0
    information = float((joint[there] * np.log(joint[there] / independent[there])).sum())
    most = states.entropy - chance
    return float(np.clip((information - chance) / most, 0, 1)) if most > 1e-9 else 0.0
