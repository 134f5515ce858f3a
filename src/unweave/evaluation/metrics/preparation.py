"""What is done to codes before they are scored."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from unweave.types import UnitTable, WideTable

Preparation = Literal["raw", "standardised", "unit-length"]
"""As they are; every unit with mean 0 and deviation 1; that, and then every row divided by its Euclidean length."""


def prepare(units: WideTable, preparation: Preparation) -> WideTable:
    """Codes prepared as said in `Preparation`, with the means and deviations of these very rows.

    "unit-length" is what the laboratory of the MED study does to codes of BYOL before any metric (in the code of a
    later paper, arXiv:2403.00352: mean and deviation of 10,000 images). Histograms hardly change; scores with a
    threshold on deviations do, because numbers of a vector of length 1 have one of about 1 / sqrt(units). Raises
    ValueError for an unknown preparation.
    """
    if preparation not in get_args(Preparation):
        raise ValueError(f"codes are prepared as {', '.join(get_args(Preparation))}, got {preparation!r}.")
    if preparation == "raw":
        return units
    standard = standardise(units)
    if preparation == "standardised":
        return standard
    return standard / np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-12)


def standardise(units: UnitTable) -> UnitTable:
    """Every unit with mean 0 and deviation 1 over these rows; a constant one is 0."""
    centred = units - units.mean(0, dtype=np.float64)
    deviations = centred.std(0)
    rounding = 1e-7 * np.abs(units).max(0)  # what float32 makes of a constant
    return centred / np.where(deviations > rounding, deviations, np.inf)


def random_rotation(width: int, random: np.random.RandomState) -> Float[np.ndarray, "width width"]:
    """An orthogonal matrix, each as likely as any other (Haar): the Q of a normal matrix, by the signs of R."""
    q, r = np.linalg.qr(random.normal(size=(width, width)))
    return q * np.where(np.diag(r) < 0, -1, 1)
