"""What every metric refuses: numbers that are not finite, tables of codes and factors that do not fit together."""

import numpy as np
from jaxtyping import Bool

from unweave.types import check_finite


def check_tables(units: np.ndarray, factors: np.ndarray) -> None:
    """Raise ValueError unless the two tables describe the same rows and can be measured.

    They cannot where a table has no columns, the numbers of rows differ, a table is empty, the codes are not
    finite numbers, or the factors are not class indices: whole numbers of an integer type, none negative.
    """
    if units.ndim != 2 or factors.ndim != 2:
        raise ValueError(
            f"codes must be a table [rows, units] and factors one [rows, factors], got shapes {units.shape} and "
            f"{factors.shape}; make one column a table with [:, None]."
        )
    if len(units) != len(factors):
        raise ValueError(
            f"codes have {len(units)} rows and factors {len(factors)}: row i of both must be the same image."
        )
    if 0 in units.shape or 0 in factors.shape:
        raise ValueError(f"nothing to measure: codes have shape {units.shape}, factors {factors.shape}.")
    if units.dtype.kind not in "fiu":
        raise ValueError(f"codes must be real numbers, got the type {units.dtype}; convert them with .astype(float).")
    check_finite(units)
    if factors.dtype.kind not in "iu":
        raise ValueError(
            f"factors are class indices 0 .. size - 1 of an integer type, got {factors.dtype}; number the values of "
            "each column with np.unique(column, return_inverse=True)[1]."
        )
    if factors.min() < 0:
        raise ValueError(
            f"factors are class indices 0 .. size - 1, got {factors.min()}; re-index each column with np.unique."
        )


def check_scale(units: np.ndarray) -> None:
    """Raise ValueError for numbers above 1e30, with which some metrics overflow and others never end."""
    largest = np.abs(units).max()
    if largest > 1e30:
        raise ValueError(f"codes of up to {largest:.3g} overflow in the metrics; divide them by their scale.")


def check_split(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> None:
    """Raise ValueError unless training and test rows, each codes and factors, can be measured and fit together."""
    for part in (train, test):
        check_tables(*part)
    check_same_columns(train, test)


def check_same_columns(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> None:
    """Raise ValueError unless both have as many units and as many labels."""
    widths = [(units.shape[1], labels.shape[1]) for units, labels in (train, test)]
    if widths[0] != widths[1]:
        raise ValueError(
            f"training rows have {widths[0]} units and factors, test rows {widths[1]}: give both the same columns."
        )


def varying_factors(factors: np.ndarray, purpose: str, where: str = "these rows") -> Bool[np.ndarray, "factors"]:
    """Which factors are not constant. Raises ValueError where all are, since there is nothing then to `purpose`."""
    varies = np.ptp(factors, axis=0) > 0
    if not varies.any():
        raise ValueError(f"every factor is constant in {where}, so there is nothing to {purpose}.")
    return varies
