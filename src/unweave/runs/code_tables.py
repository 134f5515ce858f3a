"""Code tables on disk: encoding a data set once is enough for every metric and figure."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unweave.types import Rows


def rows_for(n_total: int, count: int, seed: int) -> Rows:
    """The rows that (n_total, count, seed) name: random, all different, rising; every row where count >= n_total."""
    if count >= n_total:
        return np.arange(n_total)
    return np.sort(np.random.default_rng(seed).choice(n_total, size=count, replace=False))


def key(weights: str, data: str, rows: int, seed: int) -> str:
    """16 hexadecimal digits that name a code table by the digests of weights and data and by `rows_for`'s arguments."""
    return hashlib.sha256(f"weights={weights} data={data} rows={rows} seed={seed}".encode()).hexdigest()[:16]


def codes(
    folder: Path, key: str, compute: Callable[[], Float[np.ndarray, "rows unit dim"]]
) -> Float[np.ndarray, "rows unit dim"]:
    """The table stored as `codes-<key>.npz` in this folder, computed and stored where it is absent or damaged.

    The file appears whole or not at all, so processes may share a folder.
    """
    path = folder / f"codes-{key}.npz"
    stored = _read(path)
    if stored is not None:
        return stored
    computed = compute()
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{path.name}-{os.getpid()}"
    try:
        with part.open("wb") as file:
            np.savez(file, codes=computed)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return computed


def _read(path: Path) -> Float[np.ndarray, "rows unit dim"] | None:
    """The stored table, or None where there is none that can be read (the zip format has a checksum)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            table = stored["codes"]
    except (OSError, EOFError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile):
        return None
    return table if table.ndim == 3 and np.issubdtype(table.dtype, np.floating) else None
