"""Whether a factor is one thing, several things mixed, or a leftover: judged from swaps of whole factors, no labels.

What one of several rotated codes takes from another row leaves what the data can be, so such swaps see a rotation, as
the consistency of swaps, or the orthogonality of what they change, need not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from unweave.factors.factor import FAINT_BELOW, Verdict
from unweave.types import Pixels, WideTable

COMPONENTS = 60  # of the rebuilt pictures, in which distances are measured
FACTOR_COMPONENTS, KEPT_VARIANCE = 3, 0.95  # of the codes of one factor, where two are looked at together
MIN_ROWS = 1_000  # for a verdict: among fewer rows, neighbours are so far that independent factors look turned

SHORT: dict[Verdict, str] = {"several things mixed": "mixed", "leftover": "left over"}

Distances = Float[np.ndarray, "rows"]


class RebuiltRows(NamedTuple):
    """Rows drawn from their own codes: those of the bank, and those whose factors are swapped afterwards."""

    bank: Pixels
    pictures: Pixels
    given: WideTable  # that the pictures were drawn from
    read: WideTable  # from the pictures


class SwappedRows(NamedTuple):
    """The same rows as `RebuiltRows.pictures`, with one factor from other rows."""

    numbers: Sequence[int]  # of the factor: columns of the codes
    on_curve: bool  # whether the factor has one coordinate
    pictures: Pixels
    given: WideTable
    read: WideTable


@dataclass(frozen=True)
class SwapEvidence:
    """What swaps of a factor show. All but `effect` are of no use where that is faint."""

    effect: float  # mean absolute change of pixels in [0, 1]
    leave: float  # AUROC of the distance to the nearest rebuilt picture, swapped against not; 0.5: could be one of them
    own_error: float  # of the factor, read from its swapped picture: squared, in variances, beyond that of rebuilding
    other_error: float  # the same of all other numbers
    impossible: Sequence[float]  # how far from real codes a swap with each factor leads: see the function of this name
    on_curve: bool  # whether its codes have one coordinate


@dataclass(frozen=True)
class Limits:
    """From where on a factor is several things mixed; set on six sets with known factors (benchmarks/verdicts.py).

    Their units were grouped by mutual information alone; on the groups of `unweave factors` the limits are not tried.
    """

    leave: float = 0.6
    own_error: float = 0.15
    impossible: float = 0.025


def weigh_swaps(
    rebuilt: RebuiltRows, swaps: Sequence[SwappedRows], codes: WideTable, seed: int = 0
) -> list[SwapEvidence]:
    """The evidence of each factor; `codes` are those of many rows, unedited.

    Errors are squared, divided by the variance of the number over rows; a number that does not vary counts nothing.
    """
    space = PCA(min(COMPONENTS, *_vectors(rebuilt.bank).shape), random_state=seed).fit(_vectors(rebuilt.bank))
    bank = cKDTree(space.transform(_vectors(rebuilt.bank)))

    def away(pictures: Pixels) -> Distances:
        return bank.query(space.transform(_vectors(pictures)))[0]

    off_support = impossible(codes, [swap.numbers for swap in swaps], seed)
    unswapped, variance = away(rebuilt.pictures), codes.astype(np.float64).var(0)
    scale = np.where(variance > 0, variance, np.inf)
    plain = np.square(rebuilt.read - rebuilt.given).mean(0) / scale
    evidence = []
    for swap, beyond in zip(swaps, off_support):
        error = np.square(swap.read - swap.given).mean(0) / scale - plain
        own, others = error[list(swap.numbers)], np.delete(error, list(swap.numbers))
        distances = np.concatenate([unswapped, away(swap.pictures)])
        evidence.append(
            SwapEvidence(
                effect=float(np.abs(swap.pictures.astype(np.float64) - rebuilt.pictures).mean() / 255),
                leave=float(roc_auc_score(np.arange(len(distances)) >= len(unswapped), distances)),
                own_error=float(own.mean()),
                other_error=float(others.mean()) if len(others) else 0.0,
                impossible=tuple(beyond.tolist()),
                on_curve=swap.on_curve,
            )
        )
    return evidence


def impossible(
    codes: WideTable, factors: Sequence[Sequence[int]], seed: int = 0
) -> Float[np.ndarray, "factors factors"]:
    """How far from all real codes a swap of each factor with each other leads: 0 where the two are independent.

    A factor is given by its columns of the codes. Of two factors half of the rows are a bank: the mean squared distance
    of the other half to it, after one factor is permuted, minus the same before; both factors in their first principal
    components, each scaled to a total variance of 1. Uniform factors turned by 45 degrees have about 0.03, which
    independent ones may reach by chance where there are fewer than 1,000 rows.
    """
    rng = np.random.default_rng(seed)
    order, half = rng.permutation(len(codes)), len(codes) // 2
    parts = [_components(codes[order][:, list(numbers)]) for numbers in factors]
    beyond = np.zeros((len(parts), len(parts)))
    for i, first in enumerate(parts):
        for j, second in enumerate(parts[:i]):
            bank = cKDTree(np.hstack([first[:half], second[:half]]))
            real = bank.query(np.hstack([first[half:], second[half:]]))[0]
            permuted = bank.query(np.hstack([first[half:], rng.permutation(second[half:])]))[0]
            beyond[i, j] = beyond[j, i] = np.square(permuted).mean() - np.square(real).mean()
    return beyond


def judge(evidence: Sequence[SwapEvidence], limits: Limits = Limits()) -> list[Verdict]:
    """A verdict on each of the factors of one run.

    A leftover has at most 2 % of the effect of the strongest. Several things are mixed where a factor has no
    coordinate, its swaps leave the pictures there are, or it is not read back; then, where its swaps with another
    factor of which nothing of this is true lead to impossible codes. `other_error` is no ground: a clear factor may
    shade others.
    """
    strongest = max((factor.effect for factor in evidence), default=0.0)
    faint = [factor.effect <= FAINT_BELOW * strongest for factor in evidence]
    alone = [_mixed_alone(factor, limits) for factor in evidence]
    sound = [i for i in range(len(evidence)) if not (faint[i] or alone[i])]
    turned = {i for i in sound if any(evidence[i].impossible[j] >= limits.impossible for j in sound if j != i)}
    return [
        "leftover" if faint[i] else "several things mixed" if alone[i] or i in turned else "one thing"
        for i in range(len(evidence))
    ]


def _mixed_alone(factor: SwapEvidence, limits: Limits) -> bool:
    return not factor.on_curve or factor.leave >= limits.leave or factor.own_error >= limits.own_error


def headline(verdicts: Mapping[str, Verdict]) -> str:
    """A sentence on factors by word, the strongest first: "7 clear factors, 2 mixed; trust the first 7.\""""
    count = Counter(verdicts.values())
    clear = [word for word, verdict in verdicts.items() if verdict == "one thing"]
    words = [f"{len(clear) or 'no'} clear factor{'s' * (len(clear) != 1)}"]
    words += [f"{count[kind]} {word}" for kind, word in SHORT.items() if count[kind]]
    if clear and clear[-1] == f"f{len(clear)}" and len(clear) > 1:
        trust = f"the first {len(clear)}"
    else:
        trust = ", ".join(clear) or "none of them"
    return f"{', '.join(words)}; trust {trust}.".capitalize()


def _components(codes: WideTable) -> Float[np.ndarray, "rows component"]:
    """The first principal components, at most three, that hold 95 % of the variance, which adds up to 1 over all."""
    centred = codes.astype(np.float64) - codes.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    total = np.square(sizes).sum()
    if total == 0:
        return np.zeros((len(codes), 1))
    enough = int(np.searchsorted(np.cumsum(np.square(sizes)) / total, KEPT_VARIANCE)) + 1
    return (left * sizes / np.sqrt(total / len(codes)))[:, : min(FACTOR_COMPONENTS, enough)]


def _vectors(pictures: Pixels) -> Float[np.ndarray, "rows number"]:
    return pictures.reshape(len(pictures), -1).astype(np.float64) / 255
