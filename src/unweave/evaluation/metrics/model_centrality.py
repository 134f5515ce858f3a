"""ModelCentrality: which of several models do the others agree with? Needs no labels."""

import numpy as np
from jaxtyping import Float, Int

from unweave.types import check_finite

GroupCodes = Float[np.ndarray, "groups images unit dim"]
"""What one model reads from groups of pictures that another has drawn, each with one unit held fixed."""


def vote_accuracy(codes: GroupCodes, fixed: Int[np.ndarray, "groups"]) -> float:
    """How well one model tells which unit of another was held fixed, in [0, 1], higher is better.

    The FactorVAE score with the other model's units in the place of factors: in each group the unit with the smallest
    variance, relative to its variance over all pictures, votes; each unit stands for what it was right about most
    often, and the accuracy is that of the same votes. Chance is about 1 / units of the other, more where votes are few.
    The variance of a vector unit is summed over its numbers. Raises ValueError for codes that are not finite.
    """
    check_finite(codes)
    codes = codes.astype(np.float64)
    within = codes.var(1).sum(2)  # (group, unit)
    spread = np.broadcast_to(codes.reshape(-1, *codes.shape[2:]).var(0).sum(1), within.shape)
    voter = np.divide(within, spread, out=np.full(within.shape, np.inf), where=spread > 0).argmin(1)
    labels = int(fixed.max()) + 1
    votes = np.bincount(voter * labels + fixed, minlength=codes.shape[2] * labels).reshape(-1, labels)
    return float(votes.max(1).sum() / len(fixed))


def centrality(accuracy: Float[np.ndarray, "models models"]) -> Float[np.ndarray, "models"]:
    """How close each model is to the others, in [0, 1]: the one with the largest is to be chosen.

    `accuracy[i, j]` is `vote_accuracy` of model i on pictures of model j; the score of i is the mean over all others of
    (accuracy[i, j] + accuracy[j, i]) / 2. Lin et al., "InfoGAN-CR and ModelCentrality", ICML 2020, arXiv:1906.06034.

    Known defects: it supposes that good models agree and bad ones each in their own way, so that a majority of models
    that fail alike is preferred to a good one; a model of few units is easier to tell.
    Raises ValueError for fewer than three models: of two, each is as close to the other.
    """
    models = len(accuracy)
    if accuracy.shape != (models, models) or models < 3:
        raise ValueError(
            f"centrality compares three or more models, each with each, got a table of shape {accuracy.shape}."
        )
    agreement = (accuracy + accuracy.T) / 2
    return (agreement.sum(1) - agreement.diagonal()) / (models - 1)
