"""A set in the cache, as a data set."""

from pathlib import Path
from typing import Any

import numpy as np

from unweave.data.dataset import Card, Dataset
from unweave.data.digest import dataset_digest
from unweave.data.factors import FactorGrid, check_range
from unweave.data.settings import Reading
from unweave.types import FactorTable, Pixels, Rows


class CachedDataset(Dataset):
    """A set in the cache, memory-mapped: it takes no memory of its own, and several processes share its pages."""

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        factors = meta["factors"] or {"names": [], "sizes": []}
        self.folder, self.name, self.shape = folder, meta["name"], tuple(meta["shape"])
        self.card = Card(**meta["card"])
        self.factor_names, self.factor_sizes = tuple(factors["names"]), tuple(factors["sizes"])
        self.bad: dict[int, str] = {int(row): reason for row, reason in meta["bad"].items()}
        self.left_out = tuple(self.bad.values())
        self._pixels = np.load(folder / "images.npy", mmap_mode="r")
        self._rows = np.setdiff1d(np.arange(meta["count"]), list(self.bad)) if self.bad else None
        self._labels = np.load(folder / "labels.npy", mmap_mode="r") if (folder / "labels.npy").exists() else None
        self.files = tuple(name for row, name in enumerate(meta["files"]) if row not in self.bad)
        boxes = np.load(folder / "boxes.npy") if (folder / "boxes.npy").exists() else None
        self.boxes = boxes if boxes is None or self._rows is None else boxes[self._rows]
        self.reading = Reading.model_validate(meta["reading"]) if meta.get("reading") else None
        with np.load(folder / "splits.npz") as splits:
            self.splits = {name: self._readable(splits[name]) for name in splits.files}
        self._digest: str | None = meta.get("digest")

    def _readable(self, rows: Rows) -> np.ndarray:
        """Rows of the source as rows of this set; unreadable ones are left out."""
        return rows if self._rows is None else np.flatnonzero(np.isin(self._rows, rows))

    def __len__(self) -> int:
        return len(self._pixels) if self._rows is None else len(self._rows)

    def _source_rows(self, rows: Rows) -> Rows:
        check_range(rows, len(self), "row")
        return rows if self._rows is None else self._rows[rows]

    def images(self, rows: Rows) -> Pixels:
        return np.asarray(self._pixels[self._source_rows(rows)])

    def factors(self, rows: Rows) -> FactorTable | None:
        source_rows = self._source_rows(rows)
        if not self.factor_names:
            return None
        if self._labels is None:
            return FactorGrid(self.factor_names, self.factor_sizes).factors(source_rows)
        return np.asarray(self._labels[source_rows])

    def digest(self) -> str:
        if self._digest is None:
            self._digest = dataset_digest(self)
        return self._digest
