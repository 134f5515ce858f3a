"""Code and factor tables from .npy and .npz files, so that any model's codes can be scored."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Int

from unweave.evaluation import reduce
from unweave.metrics import checks
from unweave.tables import FactorTable, UnitTable


def read_tables(codes_path: Path, factors_path: Path) -> tuple[UnitTable, FactorTable]:
    """Codes and factors of the same rows, ready for the metrics.

    Codes are [rows, units], or [rows, unit, dim], of which each unit's first principal component is taken. Factors are
    [rows, factors] of whole numbers; the values of each column are numbered 0 .. size - 1 in rising order. An .npz file
    needs the key `codes` or `units` (`factors`), or no other array in it.

    Raises ValueError for a missing or unreadable file, another shape, numbers that are not finite or, in the factors,
    not whole, and tables of different lengths.
    """
    units = _units(_array(codes_path, ("codes", "units")), codes_path)
    factors = _factors(_array(factors_path, ("factors",)), factors_path)
    checks.tables(units, factors)
    return units, factors


def _array(path: Path, keys: tuple[str, ...]) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            known = list(loaded)
            found = [key for key in keys if key in known] or known
            if len(found) == 1 or found[0] in keys:
                return loaded[found[0]]
    except FileNotFoundError:
        raise ValueError(f"there is no file {str(path)!r}.") from None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} cannot be read as .npy or .npz: {error} Write it with numpy.save.") from None
    wanted = " or ".join(map(repr, keys))
    raise ValueError(f"{path} has the arrays {', '.join(known) or '(none)'}; expected {wanted}, or one array alone.")


def _units(array: np.ndarray, path: Path) -> UnitTable:
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: codes must be numbers of shape [rows, units] or [rows, unit, dim], got {_said(array)}."
        )
    if not array.size:
        raise ValueError(f"{path}: nothing to measure: codes have shape {list(array.shape)}.")
    codes = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    checks.finite(codes, f"codes in {path}")
    return reduce.apply(reduce.fit(codes), codes) if codes.ndim == 3 else codes


def _factors(array: np.ndarray, path: Path) -> FactorTable:
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        remedy = " Use labels[:, None] for one factor." if array.ndim == 1 else ""
        remedy += " Number text labels with numpy.unique(..., return_inverse=True)." if array.dtype.kind in "US" else ""
        raise ValueError(f"{path}: factors must be whole numbers of shape [rows, factors], got {_said(array)}.{remedy}")
    checks.finite(array, f"factors in {path}")
    broken = np.flatnonzero((array != np.round(array)).any(0)).tolist() if array.dtype.kind == "f" else []
    if broken:
        raise ValueError(
            f"{path}: factor columns {broken} are not whole numbers. The metrics need classes: "
            "bin a continuous factor first, for example with numpy.digitize into 10 quantiles, or leave it out."
        )
    columns: list[Int[np.ndarray, "rows"]] = [np.unique(column, return_inverse=True)[1] for column in array.T]
    return np.stack(columns, axis=1).astype(np.int64) if columns else array.astype(np.int64)


def _said(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {list(array.shape)}"
