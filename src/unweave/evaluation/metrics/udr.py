"""UDR, the unsupervised disentanglement ranking: do runs from different seeds find the same units?"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from sklearn.linear_model import Lasso

from unweave.evaluation.metrics.checks import as_codes
from unweave.evaluation.metrics.mcc import absolute_rank_correlations
from unweave.types import TableLike

ModelCodes = Sequence[TableLike]
"""Per model its table of codes, rows x units; models may differ in their number of units."""

UnitMasks = Sequence[Bool[np.ndarray, "_"]]
"""Per model, which of its units are active."""


class Ranking(NamedTuple):
    """How well every model agrees with the others."""

    scores: Float[np.ndarray, "models"]
    """Per model the median over the other models of the pair's score, those that explain it from their units."""
    pairs: Float[np.ndarray, "models models"]
    """[i, j]: how well the units of model i explain those of model j, one to one; 0 on the diagonal."""


def udr_lasso(codes: ModelCodes, *, active: UnitMasks | None = None) -> Ranking:
    """UDR by Lasso regression: at least 0, higher is better, 0.9 for equal models of independent units.

    `codes` are what three or more models (one method and setting, different seeds) give for the same images, row by
    row. R[a, b] is |coefficient| of unit a of model i in a Lasso regression (alpha 0.1) of unit b of model j, both
    standardised; a pair's score is the mean over the units of both models of max^2 / sum of R along the unit. A model's
    score is the median over the others. arXiv:1905.12614, protocol of disentanglement_lib, in which the pair's score is
    the mean of two means, and a unit with no non-zero coefficient counts 0.

    `active` masks units out: the reference keeps those of a VAE whose mean KL is above 0.01. Without it the units of
    variance above 1e-6 are kept, a choice of ours for models without a KL. A pair with no active unit on one side
    scores 0. Models may differ in their number of units, unlike the reference's.

    The penalty takes 0.1 from every coefficient, so that equal models score 0.9; where units of one model nearly
    determine each other, coefficients exceed 1, so that 1 is no strict bound of the score. Solved to a tolerance of
    1e-8, the reference's 1e-4 moves a score by up to 0.02. Lasso compares linearly: a model that warps its units scores
    lower. Known defects: agreement is not disentanglement, and methods that collapse to the same few units agree;
    nothing is compared with the factors.

    Raises ValueError for fewer than three models, rows that differ, numbers that are not finite, unfitting masks.
    """
    return _rank_models(codes, active, _lasso_coefficients)


def udr_spearman(codes: ModelCodes, *, active: UnitMasks | None = None) -> Ranking:
    """As `udr_lasso` with R[a, b] = |Spearman correlation|: in [0, 1], higher is better, near 1 for equal models.

    Equal models with independent units score 1 less the share of the small correlations that n rows leave (about
    0.8 (units - 1) / sqrt(rows)), so compare only scores of the same number of rows.
    """
    return _rank_models(codes, active, absolute_rank_correlations)


def pair_score(relation: Float[np.ndarray, "units others"]) -> float:
    """How close a matrix of absolute relations is to one to one: the mean of max^2 / sum over its rows and columns."""
    if 0 in relation.shape:
        return 0.0
    return float(np.mean([_one_to_one_share(relation), _one_to_one_share(relation.T)]))


def _one_to_one_share(relation: Float[np.ndarray, "units others"]) -> float:
    total = relation.sum(1)
    return float(np.mean(relation.max(1) ** 2 / np.where(total > 0, total, 1)))


def _rank_models(
    codes: ModelCodes, active: UnitMasks | None, relate: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Ranking:
    tables = _standardised(codes, active)
    count = len(tables)
    pairs = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            if i != j and tables[i].size and tables[j].size:
                pairs[i, j] = pair_score(relate(tables[i], tables[j]))
    scores = np.array([np.median(np.delete(pairs[:, j], j)) for j in range(count)])
    return Ranking(scores, pairs)


def _standardised(codes: ModelCodes, active: UnitMasks | None) -> list[Float[np.ndarray, "_ _"]]:
    if len(codes) < 3:
        raise ValueError(
            f"UDR compares three or more models, got {len(codes)}: train the same settings with more seeds."
        )
    codes = [as_codes(z) for z in codes]
    if active is None:
        active = [z.var(0, dtype=np.float64) > 1e-6 for z in codes]
    if [len(mask) for mask in active] != [z.shape[1] for z in codes]:
        raise ValueError(
            f"active must have one mask per model with one value per unit, got masks of {[len(m) for m in active]} "
            f"for models of {[z.shape[1] for z in codes]} units."
        )
    tables = []
    for z, mask in zip(codes, active):
        if len(z) != len(codes[0]) or not len(z):
            raise ValueError(
                f"models must encode the same images, got {[len(z) for z in codes]} rows: row i of all is one image."
            )
        units = z[:, mask].astype(np.float64)
        tables.append((units - units.mean(0)) / np.where(np.ptp(units, axis=0) > 0, units.std(0), 1))
    return tables


def _lasso_coefficients(
    first: Float[np.ndarray, "rows units"], second: Float[np.ndarray, "rows others"]
) -> Float[np.ndarray, "units others"]:
    model = Lasso(alpha=0.1, precompute=True, tol=1e-8, max_iter=100_000).fit(first, second)
    return np.abs(model.coef_.reshape(second.shape[1], first.shape[1])).T
