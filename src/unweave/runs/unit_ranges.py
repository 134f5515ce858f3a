"""How units (or groups of them) are spread over images: one number each, its quantiles, and the codes at those."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.data import sampling
from unweave.files import read_json
from unweave.method import Method, evaluating
from unweave.runs import reduction as reduction_
from unweave.runs.codes import code_table
from unweave.runs.model import best_device
from unweave.runs.run import Run
from unweave.runs.units import UnitGroup
from unweave.tensors import to_images
from unweave.types import Pixels

RANGES_FILE = "explorer.json"  # in the run of a folder that `unweave app --export` wrote
MEASURED_ROWS = 2_000  # that groups are measured on; single units have the run's own statistics, of as many


class UnitRange(NamedTuple):
    """A unit or group from its lowest value to its highest, along its first principal component."""

    mean: Float[np.ndarray, "unit dim"]
    direction: Float[np.ndarray, "unit dim"]  # of length 1
    levels: Float[np.ndarray, "percent"]  # of 0, 1, .. 100 %

    def code_at(self, share: float) -> Float[Tensor, "unit dim"]:
        """The code at a quantile in [0, 1]."""
        return self.codes_at([share])[0]

    def codes_at(self, shares: Sequence[float]) -> Float[Tensor, "step unit dim"]:
        """The codes at these quantiles, each in [0, 1]."""
        levels = np.interp(shares, np.linspace(0, 1, len(self.levels)), self.levels)
        return torch.from_numpy(self.mean + levels[:, None, None] * self.direction).float()

    def quantile_of(self, code: Float[Tensor, "unit dim"]) -> float:
        """The quantile of a code, in [0, 1]."""
        level = float(((code.cpu().double().numpy() - self.mean) * self.direction).sum())
        return float(np.interp(level, self.levels, np.linspace(0, 1, len(self.levels))))


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
        return UnitRange(mean, direction, np.quantile(self.values[:, index].astype(np.float64), np.linspace(0, 1, 101)))


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


def unit_ranges(run: Run, groups: Sequence[UnitGroup]) -> list[UnitRange]:
    """The range of every group: of single units from the run's statistics, of groups from rows of its data.

    A folder that `unweave app --export` wrote brings those of its groups along. Raises LookupError for a run without
    statistics, and where there are groups and the data are gone.
    """
    ranges = read_ranges(run)
    grouped = [group for group in groups if len(group.units) > 1 and group.word not in ranges]
    ranges |= dict(zip((group.word for group in grouped), _grouped(run, grouped) if grouped else []))
    statistics = run.statistics()
    mean, direction, _ = statistics.reduction
    for group in groups:
        if len(group.units) == 1 and group.word not in ranges:
            levels = statistics.quantiles[:, group.units[0]].astype(np.float64)
            ranges[group.word] = UnitRange(mean[group.units], direction[group.units], levels)
    return [ranges[group.word] for group in groups]


def write_ranges(folder: Path, groups: Sequence[UnitGroup], ranges: Sequence[UnitRange]) -> None:
    """Write them into the folder of a run that will have neither report nor data."""
    tables = {
        group.word: {part: array.tolist() for part, array in unit_range._asdict().items()}
        for group, unit_range in zip(groups, ranges)
    }
    (folder / RANGES_FILE).write_text(json.dumps(tables), "utf-8")


def read_ranges(run: Run) -> dict[str, UnitRange]:
    """What `write_ranges` wrote, by the word of the group; empty for other runs. Raises ValueError for damaged ones."""
    path = run.path / RANGES_FILE
    try:
        tables = read_json(path) if path.exists() else {}
        return {word: UnitRange(**{part: np.array(of) for part, of in table.items()}) for word, table in tables.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): export the folder again.") from None


def _grouped(run: Run, groups: Sequence[UnitGroup]) -> list[UnitRange]:
    dataset = run.dataset()
    table = code_table(run, dataset, sampling.sample_rows(len(dataset), MEASURED_ROWS, 0), 0, "averaged")
    measured = measure_values(table, groups)
    return [measured.range_of(index) for index in range(len(groups))]
