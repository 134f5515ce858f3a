"""The pictures that a run was trained on: in the order of a factor, as a map, contrasted, and which are odd."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unweave.app.explorer import Explorer, Picture
from unweave.data import sampling
from unweave.runs.codes import code_table
from unweave.runs.unit_ranges import MEASURED_ROWS
from unweave.types import Rows

MAPPED = 400  # pictures on the map
FEWEST = 3  # pictures of a selection


class Contrasted(NamedTuple):
    """How a factor or unit differs between two selections."""

    slider: int  # of the factor or unit
    delta: float  # Cliff's, in [-1, 1]: how much more often one of B is above one of A
    adjusted: float  # p, over all that are compared


class PictureSet:
    """Rows of the data of a run with where each is on every slider. Raises LookupError where the data are gone."""

    def __init__(self, explorer: Explorer) -> None:
        if explorer.dataset is None:
            raise LookupError("the data of this run are not at hand.")
        self.explorer, self.dataset = explorer, explorer.dataset
        self.rows: Rows = sampling.sample_rows(len(self.dataset), MEASURED_ROWS, 0)

    @cached_property
    def codes(self) -> Float[np.ndarray, "rows unit dim"]:
        return code_table(self.explorer.run, self.dataset, self.rows, 0, "averaged")

    @cached_property
    def levels(self) -> Float[np.ndarray, "rows slider"]:
        """Of every row, along every slider."""
        columns = [
            line.levels_of(self.codes[:, unit.units]) for unit, line in zip(self.explorer.units, self.explorer.ranges)
        ]
        return np.stack(columns, 1).astype(np.float64)

    def mapped(self, x: int, y: int) -> Float[np.ndarray, "picture 3"]:
        """Of at most 400 pictures: its row, and the share of pictures that are below it along x, and along y."""
        shown = slice(0, MAPPED)
        ranks = self.levels[shown][:, [x, y]].argsort(0).argsort(0) / max(1, len(self.rows[shown]) - 1)
        return np.column_stack([self.rows[shown], ranks])

    def ends(self, index: int, share: float = 0.2) -> tuple[list[int], list[int]]:
        """The rows of the lowest fifth along a slider, and of the highest, among those on the map."""
        rows, levels = self.rows[:MAPPED], self.levels[:MAPPED, index]
        order, count = np.argsort(levels, kind="stable"), max(FEWEST, round(share * len(levels)))
        return rows[order[:count]].tolist(), rows[order[-count:]].tolist()

    def contrast(self, a: Sequence[int], b: Sequence[int]) -> list[Contrasted]:
        """In what two selections of rows differ, what differs most first.

        Raises ValueError for fewer than three pictures of one, and for a picture of both.
        """
        from unweave.evaluation.metrics.two_groups import differences

        if min(len(a), len(b)) < FEWEST:
            raise ValueError(f"a selection has at least {FEWEST} pictures, got {len(a)} and {len(b)}.")
        if both := set(a) & set(b):
            raise ValueError(f"{len(both)} pictures are in both selections.")
        chosen = np.isin(self.rows, [*a, *b])
        compared = self.explorer.factor_count or len(self.explorer.units)
        found = differences(self.levels[chosen][:, :compared], np.isin(self.rows[chosen], list(b)))
        listed = [Contrasted(index, each.delta, each.adjusted) for index, each in enumerate(found)]
        return sorted(listed, key=lambda each: (each.adjusted, -abs(each.delta)))

    def outliers(self, count: int = 12) -> list[tuple[int, Picture]]:
        """The pictures whose codes are farthest from all others': row and picture, the oddest first.

        The distance is that to the tenth nearest neighbour, each number of the code over its deviation.
        """
        from scipy.spatial import cKDTree

        flat = self.codes.reshape(len(self.codes), -1).astype(np.float64)
        deviation = flat.std(0)
        scaled = flat[:, deviation > 0] / deviation[deviation > 0]
        near = min(11, len(scaled))
        distances = cKDTree(scaled).query(scaled, near)[0].reshape(len(scaled), -1)[:, -1]
        rows = self.rows[np.argsort(-distances, kind="stable")[:count]]
        return self.pictures(rows)

    def pictures(self, rows: Rows) -> list[tuple[int, Picture]]:
        """Rows with their pictures, in this order."""
        ordered = np.asarray(rows)
        return list(zip(ordered.tolist(), self.dataset.images(ordered)))
