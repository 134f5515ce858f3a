"""Whether pictures that a model draws are copies of those that it was trained on.

A picture is a copy where it is far nearer to one training picture than to the others that are near: after Carlini et
al., "Extracting training data from diffusion models", arXiv:2301.13188, who divide by the mean distance of the 50
nearest. The third is that of Yoon et al., "Diffusion probabilistic
models generalize when they fail to memorize" (ICML 2023 workshop SPIGM).
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import fisher_exact

NEAREST = 50  # training pictures, after the nearest one, whose mean distance it is compared with
COPY_BELOW = 1 / 3  # of that mean
RARE = 0.01  # probability below which chance is no explanation

PictureDistances = Float[np.ndarray, "picture training"]


def copies(distances: PictureDistances) -> Bool[np.ndarray, "picture"]:
    """Which pictures are copies, by their distances to every training picture. Raises ValueError for fewer than two."""
    if distances.shape[1] < 2:
        raise ValueError(f"it takes two training pictures to tell a copy, got {distances.shape[1]}.")
    count = min(NEAREST + 1, distances.shape[1])
    nearest = np.sort(np.partition(distances, count - 1, axis=1)[:, :count], axis=1)
    return nearest[:, 0] < COPY_BELOW * nearest[:, 1:].mean(1)


def more_often(drawn: Bool[np.ndarray, "picture"], real: Bool[np.ndarray, "other"]) -> bool:
    """Whether something is true of the first more often than of the others, beyond chance (Fisher's exact test)."""
    table = [[int(drawn.sum()), int((~drawn).sum())], [int(real.sum()), int((~real).sum())]]
    return bool(fisher_exact(table, "greater").pvalue < RARE)


def pixel_distances(
    pictures: Float[np.ndarray, "picture number"], training: Float[np.ndarray, "training number"]
) -> PictureDistances:
    """Root mean square differences of flat pictures."""
    squares = (pictures**2).mean(1)[:, None] + (training**2).mean(1) - 2 * pictures @ training.T / pictures.shape[1]
    return np.sqrt(np.maximum(squares, 0))
