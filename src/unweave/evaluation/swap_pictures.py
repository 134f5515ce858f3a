"""Pictures of the same pairs of rows with units swapped, for whoever looks at single units and at whole factors."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from unweave.evaluation.metrics.swap_consistency import random_pairs
from unweave.evaluation.run_editor import RunEditor
from unweave.tensors import to_pixels
from unweave.types import Pixels, Rows

PAIRS = 64  # of images, whose units are swapped
MAX_KEPT = 1 << 29  # bytes of pictures that are kept


class SwapPictures:
    """What a run makes of the first row of each pair, with some units from the second: drawn once, and kept in bytes
    while there is room for them.
    """

    def __init__(self, editor: RunEditor, pairs: tuple[Rows, Rows]) -> None:
        self.editor = editor
        self.first, self.second = pairs
        self._pictures: dict[frozenset[int], Pixels] = {}

    @cached_property
    def unedited(self) -> Pixels:
        """The first row of each pair, rebuilt."""
        return to_pixels(self.editor.reconstruct(self.first))

    def pixels(self, units: Sequence[int]) -> Pixels:
        """The pictures in which these units are swapped."""
        stored = self._pictures.get(frozenset(units))
        if stored is not None:
            return stored
        pictures = to_pixels(self.editor.swap(self.first, self.second, units))
        if (len(self._pictures) + 1) * pictures.nbytes <= MAX_KEPT:
            self._pictures[frozenset(units)] = pictures
        return pictures

    def drawing(self, units: Sequence[int]) -> int:
        """How many images `pixels` of these units has to draw."""
        return 0 if frozenset(units) in self._pictures else len(self.first)


def swaps_of_rows(editor: RunEditor, rows: Rows, pairs: int = PAIRS) -> SwapPictures:
    """Swaps in random pairs of these rows, of the editor's seed."""
    seed = editor.seed or 0
    return SwapPictures(editor, random_pairs(shuffled(rows, seed), pairs, seed))


def shuffled(rows: Rows, seed: int) -> Rows:
    """The rows in the order in which a report takes them."""
    return np.random.default_rng(seed).permutation(rows)
