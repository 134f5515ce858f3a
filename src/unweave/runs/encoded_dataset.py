"""A data set whose codes are there already, in a folder of sharded codes: measured without encoding it again."""

from pathlib import Path

import numpy as np

from unweave.data.dataset import Dataset
from unweave.data.factors import check_range
from unweave.runs.sharded_codes import EncodedPart, read_codes, whole_codes
from unweave.types import FactorTable, Pixels, Rows


class EncodedDataset(Dataset):
    """The rows of a data set that have codes. Its pictures are read where they lie, when they are asked for."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        """Raises ValueError where the data set is no longer the one that was encoded."""
        self.folder, self.base, self.about = folder, dataset, whole_codes(folder)
        if dataset.digest() != self.about.data_digest:
            raise ValueError(f"{dataset.name} has changed since {folder} was encoded: encode it again.")
        self.name, self.shape, self.card = dataset.name, dataset.shape, dataset.card
        self.factor_names, self.factor_sizes = dataset.factor_names, dataset.factor_sizes
        self.reading, self.colours = dataset.reading, dataset.colours

    def __len__(self) -> int:
        return sum(self.about.counts)

    def codes(self, rows: Rows) -> EncodedPart:
        """The stored codes of these rows."""
        check_range(rows, len(self), "row")
        return read_codes(self.folder, rows)[0]

    def images(self, rows: Rows) -> Pixels:
        return self.base.images(self._base_rows(rows))

    def factors(self, rows: Rows) -> FactorTable | None:
        return self.base.factors(self._base_rows(rows))

    def digest(self) -> str:
        return self.base.digest() if len(self) == len(self.base) else f"{self.base.digest()}-{len(self)}"

    def _base_rows(self, rows: Rows) -> Rows:
        check_range(rows, len(self), "row")
        return rows if len(self) == len(self.base) else read_codes(self.folder, np.asarray(rows))[1]
