"""The door of every metric: tables as people have them become arrays, and what cannot be measured is refused."""

from numbers import Integral, Real

import numpy as np
from jaxtyping import Bool

from unweave.data.reading import table_columns
from unweave.evaluation.metrics.row_sampling import Tables
from unweave.types import FactorTable, TableLike, UnitTable, check_finite


def as_codes(table: TableLike, what: str = "codes", *, vectors: bool = False) -> np.ndarray:
    """Codes as finite numbers [rows, units], or [rows, unit, dim] where `vectors` may be; float32 stays, else float64.

    Whole numbers of few bits would overflow in a difference or a square, and half precision in a sum. Takes arrays,
    lists of rows, DataFrames and tensors. Raises ValueError for other shapes, for what is no number, and for numbers
    that are not finite.
    """
    array = _array(table, what)
    if array.dtype.kind == "O" and all(isinstance(value, Real) for value in array.flat):
        array = array.astype(np.float64)
    if array.ndim != 2 and not (vectors and array.ndim == 3):
        expected = "numbers of shape [rows, units] or [rows, unit, dim]" if vectors else "a table [rows, units]"
        raise ValueError(
            f"{what} must be {expected}, got {_shape_label(array)}; make one column a table with [:, None]."
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{what} must be numbers, got the type {array.dtype}; convert them with .astype(float).")
    if 0 in array.shape:
        raise ValueError(f"nothing to measure: {what} have shape {list(array.shape)}.")
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    array = array.astype(np.float32 if single else np.float64, copy=False)  # of this machine's byte order, too
    check_finite(array, what)
    return array


def as_factors(table: TableLike, what: str = "factors") -> FactorTable:
    """The classes of every column, numbered 0 .. size - 1 in rising order of their values, words by the alphabet.

    So the labelling does not count: classes that begin at 1, have gaps, or are 1e8, are those that begin at 0. Takes
    whole numbers of any type, yes and no, and words; in arrays, lists of rows, DataFrames and tensors. Raises
    ValueError for another shape, for numbers that are not whole, and for values that are missing.
    """
    array = _array(table, what)
    if array.ndim != 2:
        remedy = " Use labels[:, None] for one factor." if array.ndim == 1 else ""
        raise ValueError(f"{what} must be a table of classes [rows, factors], got {_shape_label(array)}.{remedy}")
    if 0 in array.shape:
        raise ValueError(f"nothing to measure: {what} have shape {list(array.shape)}.")
    if array.dtype.kind == "f":
        check_finite(array, what)
        not_whole = np.flatnonzero((array != np.round(array)).any(0)).tolist()
        if not_whole:
            raise ValueError(table_columns.not_whole(not_whole, what))
    elif array.dtype.kind in "OUS":
        array = np.stack([_word_classes(column, j, what) for j, column in enumerate(array.T)], axis=1)
    elif array.dtype.kind not in "iub":
        raise ValueError(
            f"{what} are classes, whole numbers or words, got {array.dtype}; number the values of each column with "
            "np.unique(column, return_inverse=True)[1]."
        )
    return np.stack([np.unique(column, return_inverse=True)[1].reshape(-1) for column in array.T], axis=1).astype(
        np.int64
    )


def as_tables(units: TableLike, factors: TableLike) -> tuple[UnitTable, FactorTable]:
    """Codes and factors of the same rows, as `as_codes` and `as_factors` make them. Raises ValueError as these do."""
    codes, classes = as_codes(units), as_factors(factors)
    check_tables(codes, classes)
    return codes, classes


def as_split(train: tuple[TableLike, TableLike], test: tuple[TableLike, TableLike]) -> tuple[Tables, Tables]:
    """Training and test rows, each codes and factors, whose classes are numbered together. Raises ValueError as
    `as_tables`, and where the two have other columns."""
    arrays = [(as_codes(units), _array(factors, "factors")) for units, factors in (train, test)]
    for codes, factors in arrays:
        check_tables(codes, as_factors(factors))
    (train_codes, train_factors), (test_codes, test_factors) = arrays
    check_same_columns((train_codes, train_factors), (test_codes, test_factors))
    together = as_factors(np.concatenate([train_factors, test_factors]))
    rows = len(train_codes)
    return Tables(train_codes, together[:rows]), Tables(test_codes, together[rows:])


def _array(table: TableLike, what: str) -> np.ndarray:
    """The array that a table is. DataFrames and tensors are known by their methods, so that neither is needed here."""
    if hasattr(table, "detach"):  # a tensor, of whatever device
        table = table.detach().cpu()
        try:
            table = table.numpy()
        except TypeError:  # bfloat16, which NumPy does not have
            table = table.float().numpy()
    elif hasattr(table, "to_numpy"):
        table = table.to_numpy()
    elif isinstance(table, np.ma.MaskedArray) and np.ma.is_masked(table):
        raise ValueError(f"{what} have masked values: leave those rows out.")
    try:
        return np.asarray(table)
    except ValueError:  # rows of several lengths
        raise ValueError(f"{what} must be a table: every row needs as many values as the first.") from None


def _word_classes(column: np.ndarray, position: int, what: str) -> np.ndarray:
    """Objects or words by number. Raises ValueError for values that are missing or not whole."""
    values = [value.decode() if isinstance(value, bytes) else value for value in column.tolist()]
    for row, value in enumerate(values):
        if value is None or value != value or table_columns.is_missing(str(value)):
            raise ValueError(f"{what}: row {row}, column {position} is missing ({value!r}); leave such rows out.")
    if all(isinstance(value, Integral) for value in values):
        return np.unique(np.array([int(value) for value in values], object), return_inverse=True)[1].reshape(-1)
    return table_columns.class_numbers([str(value).strip() for value in values], position, what)


def _shape_label(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"


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
        raise ValueError(f"codes must be numbers, got the type {units.dtype}; convert them with .astype(float).")
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
