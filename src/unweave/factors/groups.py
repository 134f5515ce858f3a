"""Units that are copies or parts of one factor, found without labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.cluster.hierarchy import ClusterNode, average, to_tree
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from unweave.factors.coordinate import fit_coordinate
from unweave.factors.evidence import (
    Effects,
    UnitCodes,
    dependence,
    likeness,
    overlap_of_pixels,
    overlap_of_places,
)

FAINT_BELOW = 0.02  # of the effect of the strongest unit; a unit below it is dead, and a group of its own
CUTS = np.geomspace(0.07, 0.3, 7)  # of the affinity: those among which the stablest is chosen
SAME_EFFECT = 0.3  # likeness of pixels from which two parts change the same thing though they lie near no curve
SUBSAMPLES, PART = 8, 0.75  # of the rows and of the pairs
STABILITY_MARGIN = 0.05  # below the best: the lowest of such cuts is taken, which joins most
STABLE_FROM = 0.8


@dataclass(frozen=True)
class UnitGroups:
    """A partition of units."""

    groups: tuple[tuple[int, ...], ...]  # the strongest first; single units among them
    effects: tuple[float, ...]  # of each: the mean absolute change by its units, added up, of pixels in [0, 1]
    dead: tuple[int, ...]  # units that change next to nothing; each is a group of its own, if it is not joined
    cut: float  # of the affinity, in [0.07, 0.3]
    stability: float  # mean adjusted Rand index with the groups of subsamples and of neighbouring cuts, at most 1

    @property
    def stable(self) -> bool:
        return self.stability >= STABLE_FROM


def group_units(codes: UnitCodes, effects: Effects, seed: int = 0, joint: Sequence[tuple[int, ...]] = ()) -> UnitGroups:
    """Units that are dependent and change the same thing, together; others and dead ones each alone.

    The affinity of two units is their dependence (`evidence.dependence`) times the likeness of the places that their
    swaps change (`evidence.overlap_of_places`). Average linkage is cut where the groups of eight subsamples (three
    quarters of the rows and of the pairs) and of the neighbouring cuts agree best, within 0.05, at the lowest such
    affinity from 0.07 to 0.3. Then a group whose joint codes lie near no curve and whose two parts change different
    pixels (a likeness below 0.3 in place and colour) is taken apart: cosine and sine of a hue change different pixels
    and lie on a circle; hue and size of a thing, where units mix them, depend on each other and do not. Units with less
    than 2 % of the effect of the strongest are dead. The limits are ours, set on `builtin:rooms` and hand-made codes.
    No label is seen. The units of each of `joint`, which the method itself joins, are a group of their own.
    """
    strength = np.abs(effects).mean((1, 2, 3, 4))
    live = np.flatnonzero(strength > FAINT_BELOW * strength.max(initial=0.0))
    dead = np.setdiff1d(np.arange(len(strength)), live).tolist()
    cut, stability, found = _stablest(codes[:, live], effects[live], np.random.default_rng(seed))
    groups = [tuple(live[list(group)].tolist()) for group in found] + [(unit,) for unit in dead]
    for together in joint:
        rest = [tuple(unit for unit in group if unit not in together) for group in groups]
        groups = [group for group in [*rest, tuple(sorted(together))] if group]
    sums = [float(strength[list(group)].sum()) for group in groups]
    order = np.argsort(-np.array(sums), kind="stable")
    return UnitGroups(
        groups=tuple(groups[i] for i in order),
        effects=tuple(sums[i] for i in order),
        dead=tuple(dead),
        cut=cut,
        stability=stability,
    )


def _stablest(codes: UnitCodes, effects: Effects, rng: np.random.Generator) -> tuple[float, float, list[list[int]]]:
    """The cut, its stability, and the groups at it."""
    if len(effects) < 2:
        return float(CUTS[0]), 1.0, [[unit] for unit in range(len(effects))]
    places, pixels = overlap_of_places(effects), overlap_of_pixels(effects)
    whole = _partitions(codes, places.sum((2, 3)), pixels.sum((2, 3)), rng)
    agreement = np.zeros((SUBSAMPLES, len(CUTS)))
    for sample in range(SUBSAMPLES):
        rows, pairs = (rng.permutation(size)[: max(1, int(PART * size))] for size in (len(codes), effects.shape[1]))
        kept = np.isin(np.arange(effects.shape[1]), pairs)
        part = [overlap[:, :, kept][:, :, :, kept].sum((2, 3)) for overlap in (places, pixels)]
        parts = _partitions(codes[rows], part[0], part[1], rng)
        for i, groups in enumerate(whole):
            near = parts[max(0, i - 1) : i + 2]
            agreement[sample, i] = np.mean([_agreement(groups, other) for other in near])
    stability = agreement.mean(0)
    chosen = int(np.flatnonzero(stability >= stability.max() - STABILITY_MARGIN)[0])
    return float(CUTS[chosen]), float(stability[chosen]), whole[chosen]


def _partitions(
    codes: UnitCodes,
    places: Float[np.ndarray, "unit unit"],
    pixels: Float[np.ndarray, "unit unit"],
    rng: np.random.Generator,
) -> list[list[list[int]]]:
    """The groups at every cut, from codes and the overlaps of effects, summed over pairs."""
    affinity = dependence(codes, rng) * likeness(places)
    tree = to_tree(average(squareform(np.clip(1 - affinity, 0, 1), checks=False)))
    joined: dict[int, bool] = {}

    def groups_below(node: ClusterNode, cut: float) -> list[list[int]]:
        if node.is_leaf() or (1 - node.dist >= cut and one_thing(node)):
            return [sorted(node.pre_order())]
        return groups_below(node.left, cut) + groups_below(node.right, cut)

    def one_thing(node: ClusterNode) -> bool:
        if node.id not in joined:
            left, right = node.left.pre_order(), node.right.pre_order()
            joined[node.id] = _likeness_of_groups(pixels, left, right) >= SAME_EFFECT or (
                fit_coordinate(codes[:, left + right].reshape(len(codes), -1)) is not None
            )
        return joined[node.id]

    return [groups_below(tree, cut) for cut in CUTS]


def _likeness_of_groups(overlap: Float[np.ndarray, "unit unit"], left: Sequence[int], right: Sequence[int]) -> float:
    between, within, beyond = (overlap[np.ix_(a, b)].sum() for a, b in ((left, right), (left, left), (right, right)))
    return float(between / max(np.sqrt(within * beyond), 1e-24))


def _agreement(groups: list[list[int]], others: list[list[int]]) -> float:
    return float(adjusted_rand_score(_labels(groups), _labels(others)))


def _labels(groups: list[list[int]]) -> list[int]:
    label = {unit: number for number, group in enumerate(groups) for unit in group}
    return [label[unit] for unit in sorted(label)]
