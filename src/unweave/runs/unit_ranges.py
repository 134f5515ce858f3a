"""How units, groups and factors are spread over images: one number each, its quantiles, and the codes at those."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave import progress
from unweave.data import sampling
from unweave.devices import best_device
from unweave.factors.coordinate import codes_at, position_of
from unweave.factors.factor import Coordinate
from unweave.figures.traversal import quantile_label
from unweave.files import read_json
from unweave.method import Method, evaluating
from unweave.runs import reduction as reduction_
from unweave.runs.codes import code_table
from unweave.runs.factor_json import coordinate_from_json, coordinate_to_json
from unweave.runs.factors import (
    FACTOR_WORD,
    factor_title,
    require_factors,
)
from unweave.runs.reduction import few_values
from unweave.runs.run import Run
from unweave.runs.units import UnitGroup
from unweave.tensors import to_images
from unweave.types import Pixels

RANGES_FILE = "explorer.json"  # in the run of a folder that `unweave app --export` wrote
MEASURED_ROWS = 2_000  # that groups are measured on; single units have the run's own statistics, of as many


@dataclass(frozen=True)
class CodeRange(ABC):
    """Where the codes of a unit, group or factor go over rows, by one number, the level."""

    levels: Float[np.ndarray, "percent"]  # of 0, 1, .. 100 % of the rows
    closed: bool  # whether the highest is next to the lowest

    @abstractmethod
    def codes_of(self, levels: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step unit dim"]:
        """The codes at these levels."""

    @abstractmethod
    def levels_of(self, codes: Float[np.ndarray, "rows unit dim"]) -> Float[np.ndarray, "rows"]:
        """The levels of codes, or those nearest to them."""

    def code_at(self, share: float) -> Float[Tensor, "unit dim"]:
        """The code at a quantile in [0, 1]."""
        return self.codes_at([share])[0]

    def codes_at(self, shares: Sequence[float]) -> Float[Tensor, "step unit dim"]:
        """The codes at these quantiles, each in [0, 1]."""
        levels = np.interp(shares, np.linspace(0, 1, len(self.levels)), self.levels)
        return torch.from_numpy(self.codes_of(levels)).float()

    def quantile_of(self, code: Float[Tensor, "unit dim"]) -> float:
        """The quantile of a code, in [0, 1]."""
        return self.share_of(float(self.levels_of(code.cpu().double().numpy()[None])[0]))

    def share_of(self, level: float) -> float:
        """The quantile of a level, in [0, 1]."""
        return float(np.interp(level, self.levels, np.linspace(0, 1, len(self.levels))))

    @abstractmethod
    def steps(self, count: int) -> list[float]:
        """Quantiles of a traversal."""

    def labels(self, shares: Sequence[float]) -> list[str]:
        """What stands above pictures at these quantiles: they, or shares of the way round."""
        return [f"{share:.0%} round" if self.closed else quantile_label(share) for share in shares]


@dataclass(frozen=True)
class UnitRange(CodeRange):
    """A unit or group from its lowest value to its highest, along its first principal component.

    A discrete unit is always at one of its values, and a traversal goes through these.
    """

    mean: Float[np.ndarray, "unit dim"]
    direction: Float[np.ndarray, "unit dim"]  # of length 1
    values: Float[np.ndarray, "value"] | None = None  # rising; None where the unit takes any

    def codes_of(self, levels: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step unit dim"]:
        levels = np.asarray(levels)
        if self.values is not None:
            levels = self.values[np.abs(levels[:, None] - self.values).argmin(1)]
        return self.mean + levels[:, None, None] * self.direction

    def steps(self, count: int) -> list[float]:
        """From 2 % to 98 %, or as many of the values, from the first to the last."""
        if self.values is None:
            return np.linspace(0.02, 0.98, count).tolist()
        chosen = np.linspace(0, len(self.values) - 1, count).round().astype(int)
        return [self.share_of(value) for value in self.values[chosen]]

    def labels(self, shares: Sequence[float]) -> list[str]:
        """The quantiles, or the values of a discrete unit."""
        if self.values is None:
            return super().labels(shares)
        return [f"{code.flatten()[0]:g}" for code in self.codes_at(shares)]

    def levels_of(self, codes: Float[np.ndarray, "rows unit dim"]) -> Float[np.ndarray, "rows"]:
        return ((codes - self.mean) * self.direction).sum((1, 2))


@dataclass(frozen=True)
class CurveRange(CodeRange):
    """A factor along its coordinate: levels are positions on the curve, in [0, 1]."""

    coordinate: Coordinate
    dim: int  # of a unit

    def codes_of(self, levels: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step unit dim"]:
        return codes_at(self.coordinate, levels).reshape(len(levels), -1, self.dim)

    def levels_of(self, codes: Float[np.ndarray, "rows unit dim"]) -> Float[np.ndarray, "rows"]:
        return position_of(self.coordinate, codes.reshape(len(codes), -1))

    def steps(self, count: int) -> list[float]:
        """From 2 % to 98 %, or once round and not twice at one place."""
        if self.closed:
            return (np.arange(count) / count).tolist()
        return np.linspace(0.02, 0.98, count).tolist()

    def between(
        self, codes: Float[Tensor, "rows unit dim"], others: Float[Tensor, "rows unit dim"], weights: Sequence[float]
    ) -> Float[Tensor, "step rows unit dim"]:
        """From codes (weight 0) to others (weight 1) along the curve, a closed one the shorter way round.

        What a code is off the curve goes over in a straight line, so that both ends are as they were.
        """
        ends = [part.detach().cpu().double().numpy() for part in (codes, others)]
        first, last = (self.levels_of(end) for end in ends)
        way = (last - first + 0.5) % 1.0 - 0.5 if self.closed else last - first
        off = [end - self.codes_of(level) for end, level in zip(ends, (first, last))]
        steps = [self.codes_of(first + w * way) + (1 - w) * off[0] + w * off[1] for w in weights]
        return torch.from_numpy(np.stack(steps)).to(codes)


def curve_range(coordinate: Coordinate, dim: int) -> CurveRange:
    """The range of a factor whose units have this dimension."""
    return CurveRange(coordinate.levels, coordinate.closed, coordinate, dim)


class UnitValues(NamedTuple):
    """The number of every group of units on some rows: of a vector, its first principal component."""

    groups: Sequence[UnitGroup]
    dim: int
    reduction: reduction_.Reduction
    values: Float[np.ndarray, "rows group"]

    def range_of(self, index: int) -> UnitRange:
        """A group from its lowest value on these rows to its highest."""
        units = len(self.groups[index].units)
        mean, direction = (
            part[index][: units * self.dim].reshape(units, self.dim)
            for part in (self.reduction.mean, self.reduction.direction)
        )
        column = self.values[:, index].astype(np.float64)
        levels = np.quantile(column, np.linspace(0, 1, 101))
        return UnitRange(levels, False, mean, direction, few_values(column))


def measure_values(codes: Float[np.ndarray, "rows unit dim"], groups: Sequence[UnitGroup]) -> UnitValues:
    """The values of these groups over rows that are encoded."""
    packed = pack_groups(codes, groups)
    reduction = reduction_.fit(packed)
    return UnitValues(groups, codes.shape[2], reduction, reduction_.apply(reduction, packed))


def pack_groups(
    codes: Float[np.ndarray, "rows unit dim"], groups: Sequence[UnitGroup]
) -> Float[np.ndarray, "rows group long"]:
    """The units [rows, group, dim]; groups are vectors of what is in them, filled up with zeros to one length."""
    longest = max(len(group.units) for group in groups) * codes.shape[2]
    parts = [codes[:, group.units].reshape(len(codes), -1) for group in groups]
    return np.stack([np.pad(part, ((0, 0), (0, longest - part.shape[1]))) for part in parts], 1)


def encode_packed(method: Method, pixels: Pixels, groups: Sequence[UnitGroup]) -> Float[np.ndarray, "rows group long"]:
    """The codes of stored images, packed by group."""
    with evaluating(method):
        parts = [method.encode(part) for part in to_images(pixels, best_device()).split(250)]
    return pack_groups(torch.cat(parts).float().cpu().numpy(), groups)


def default_selection(method: Method, count: int) -> list[int | str]:
    """What to look at: the groups of a method, unless it has one alone or none; else its single units."""
    groups = list(method.groups())
    return list(groups) if len(groups) > 1 else list(range(count))


def most_varying(codes: Float[np.ndarray, "rows unit dim"], groups: Sequence[UnitGroup], most: int) -> list[UnitGroup]:
    """At most `most` groups, those that vary most, in their order."""
    spread = [float(np.square(codes[:, group.units].std(0)).sum()) for group in groups]
    kept = np.sort(np.argsort(-np.array(spread), kind="stable")[:most])
    return [groups[index] for index in kept]


def unit_ranges(run: Run, groups: Sequence[UnitGroup]) -> list[CodeRange]:
    """The range of every group: of single units from the run's statistics, of factors along their coordinate, of
    groups, and of factors without a coordinate, along their first principal component over rows of the run's data.

    A folder that `unweave app --export` wrote brings all of its own along. Raises LookupError for a run without
    statistics, and where there are groups and the data are gone.
    """
    ranges = read_ranges(run)
    statistics = run.statistics()
    mean, direction, _ = statistics.reduction
    wanted = [group for group in groups if group.word not in ranges]
    curves = _coordinates(run, wanted)
    ranges |= {word: curve_range(line, mean.shape[1]) for word, line in curves.items()}
    grouped = [group for group in wanted if len(group.units) > 1 and group.word not in ranges]
    ranges |= dict(zip((group.word for group in grouped), _grouped(run, grouped) if grouped else []))
    for group in groups:
        if len(group.units) == 1 and group.word not in ranges:
            levels = statistics.quantiles[:, group.units[0]].astype(np.float64)
            values = statistics.values_of(group.units[0])
            ranges[group.word] = UnitRange(levels, False, mean[group.units], direction[group.units], values)
    return [ranges[group.word] for group in groups]


def curves_of(run: Run, groups: Sequence[UnitGroup]) -> list[tuple[list[int], CurveRange]]:
    """The units and the curve of each factor among groups that has a coordinate; no data are needed."""
    ranges = read_ranges(run)
    dim = run.statistics().reduction[0].shape[1]
    curves: dict[str, CodeRange] = {word: curve_range(line, dim) for word, line in _coordinates(run, groups).items()}
    known = ranges | curves
    listed = [(group.units, known.get(group.word)) for group in groups]
    return [(units, curve) for units, curve in listed if isinstance(curve, CurveRange)]


def _coordinates(run: Run, groups: Sequence[UnitGroup]) -> dict[str, Coordinate]:
    """Those of the factors among groups, by word; it is said which factors have none."""
    asked = [group.word for group in groups if FACTOR_WORD.fullmatch(group.word)]
    found = require_factors(run) if asked else None
    lines = {} if found is None else {word: found.factors[found.index(word)] for word in asked}
    for word, factor in lines.items():
        if factor.coordinate is None:
            progress.message(f"{factor_title(word, factor)} has no coordinate: its first principal component is moved.")
    return {word: factor.coordinate for word, factor in lines.items() if factor.coordinate is not None}


def write_ranges(folder: Path, groups: Sequence[UnitGroup], ranges: Sequence[CodeRange]) -> None:
    """Write them into the folder of a run that will have neither report nor data."""
    tables = {group.word: _range_to_json(unit_range) for group, unit_range in zip(groups, ranges)}
    (folder / RANGES_FILE).write_text(json.dumps(tables), "utf-8")


def read_ranges(run: Run) -> dict[str, CodeRange]:
    """What `write_ranges` wrote, by the word of the group; empty for other runs. Raises ValueError for damaged ones."""
    path = run.path / RANGES_FILE
    try:
        tables = read_json(path) if path.exists() else {}
        return {word: _range_from_json(table) for word, table in tables.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): export the folder again.") from None


def _range_to_json(unit_range: CodeRange) -> dict[str, Any]:
    if isinstance(unit_range, CurveRange):
        return {"coordinate": coordinate_to_json(unit_range.coordinate), "dim": unit_range.dim}
    assert isinstance(unit_range, UnitRange)
    parts = {"mean": unit_range.mean, "direction": unit_range.direction, "levels": unit_range.levels}
    if unit_range.values is not None:
        parts["values"] = unit_range.values
    return {part: array.tolist() for part, array in parts.items()}


def _range_from_json(table: Mapping[str, Any]) -> CodeRange:
    if "coordinate" in table:
        return curve_range(coordinate_from_json(table["coordinate"]), int(table["dim"]))
    mean, direction, levels = (np.array(table[part]) for part in ("mean", "direction", "levels"))
    return UnitRange(levels, False, mean, direction, np.array(table["values"]) if "values" in table else None)


def _grouped(run: Run, groups: Sequence[UnitGroup]) -> list[UnitRange]:
    dataset = run.dataset()
    table = code_table(run, dataset, sampling.sample_rows(len(dataset), MEASURED_ROWS, 0), 0, "averaged")
    measured = measure_values(table, groups)
    return [measured.range_of(index) for index in range(len(groups))]
