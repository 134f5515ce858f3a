"""How far a position on a factor's curve and a measurement tell the same, where either may lie on a circle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from unweave.factors.factor import Mode

CUTS = 60  # places at which a circle is cut to be compared with a line
BINS = 16  # of a measurement, equally full, at most; fewer where there are not ROWS_A_BIN rows for each
ROWS_A_BIN = 8
SHUFFLES = 200
QUANTILE = 0.99  # of the largest agreement that shuffled positions have with any measurement

RowValues = Float[np.ndarray, "rows"]
States = Float[np.ndarray, "rows state"]
Bins = Float[np.ndarray, "rows bin"]
"""One in the column of a row's state or bin, zero in the others."""


@dataclass(frozen=True)
class Ranks:
    """The ranks of values, so that any rising function of them is the same; undefined values count as the middle."""

    linear: Float[np.ndarray, "rows cut"]  # centred, of length 1; of a circle, cut open at several places
    circular: Complex[np.ndarray, "rows"] | None  # on the unit circle; None of a line

    def shuffled(self, order: Int[np.ndarray, "rows"]) -> "Ranks":
        return Ranks(self.linear[order], None if self.circular is None else self.circular[order])


def ranks_of(values: RowValues, circular: bool) -> Ranks:
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
    """In [0, 1]: of two lines the absolute rank correlation (Spearman); of a circle and a line the largest over sixty
    places to cut the circle; of two circles the rank correlation of Mardia and Jupp (Directional Statistics, 11.2.2),
    the length of the mean difference, or sum, of uniform scores.
    """
    if one.circular is None or other.circular is None:
        return float(np.abs(one.linear.T @ other.linear).max())
    difference, total = np.vdot(one.circular, other.circular), one.circular @ other.circular
    return float(max(abs(difference), abs(total)) / len(one.circular))


def states_of(positions: RowValues, states: Sequence[Mode], closed: bool) -> States:
    """The nearest state of every row."""
    away = np.abs(positions[:, None] - np.array([state.position for state in states]))
    away = np.minimum(away, 1 - away) if closed else away
    return np.eye(len(states))[away.argmin(1)]


def bins_of(values: RowValues) -> Bins:
    """Equally full bins of a measurement, and one more for undefined values."""
    count = min(BINS, max(2, len(values) // ROWS_A_BIN))
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, np.arange(1, count) / count)) if len(known) else np.zeros(0)
    bins = np.where(np.isfinite(values), np.searchsorted(edges, values), len(edges) + 1)
    return np.eye(len(edges) + 2)[bins]


def state_agreement(states: States, bins: Bins, orders: Int[np.ndarray, "order rows"]) -> Float[np.ndarray, "order"]:
    """Adjusted mutual information of the states, with their rows in each order, and the bins, in [0, 1]: what the bins
    tell of the states beyond chance, over the entropy of the states less chance, since there may be more bins.
    """
    from sklearn.metrics.cluster import expected_mutual_information

    states, bins = states[:, states.any(0)], bins[:, bins.any(0)]
    table = states.T @ bins
    chance = expected_mutual_information(table, len(states))
    shares = states.mean(0)
    most = -(shares * np.log(shares)).sum() - chance
    joint = np.einsum("ors,rb->osb", states[orders], bins) / len(states)
    terms = joint * np.log(np.where(joint > 0, joint, 1) / (shares[:, None] * bins.mean(0)))
    return np.clip((terms.sum((1, 2)) - chance) / most, 0, 1) if most > 1e-9 else np.zeros(len(orders))
