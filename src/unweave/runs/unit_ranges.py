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
from unweave.method import Method, evaluating
from unweave.runs import reduction as reduce
from unweave.runs.codes import code_table
from unweave.runs.model import best_device
from unweave.runs.run import Run
from unweave.runs.units import Choice
from unweave.tensors import to_images
from unweave.types import Pixels

KEPT = "explorer.json"  # in the run of a folder that `unweave app --export` wrote
ROWS = 2_000  # that groups are measured on; single units have the run's own statistics, of as many


class Line(NamedTuple):
    """A unit or group from its lowest value to its highest, along its first principal component."""

    mean: Float[np.ndarray, "unit dim"]
    direction: Float[np.ndarray, "unit dim"]  # of length 1
    levels: Float[np.ndarray, "percent"]  # of 0, 1, .. 100 %

    def point(self, share: float) -> Float[Tensor, "unit dim"]:
        """The code at a quantile in [0, 1]."""
        return self.points([share])[0]

    def points(self, shares: Sequence[float]) -> Float[Tensor, "step unit dim"]:
        """The codes at these quantiles, each in [0, 1]."""
        levels = np.interp(shares, np.linspace(0, 1, len(self.levels)), self.levels)
        return torch.from_numpy(self.mean + levels[:, None, None] * self.direction).float()

    def share(self, code: Float[Tensor, "unit dim"]) -> float:
        """The quantile of a code, in [0, 1]."""
        level = float(((code.cpu().double().numpy() - self.mean) * self.direction).sum())
        return float(np.interp(level, self.levels, np.linspace(0, 1, len(self.levels))))


class UnitValues(NamedTuple):
    """The number of every choice (unit or group) on some rows: of a vector, its first principal component."""

    choices: Sequence[Choice]
    dim: int
    reduction: reduce.Reduction
    values: Float[np.ndarray, "rows choice"]

    def line(self, place: int) -> Line:
        """A choice from its lowest value on these rows to its highest."""
        units = len(self.choices[place].units)
        mean, direction = (
            part[place][: units * self.dim].reshape(units, self.dim)
            for part in (self.reduction.mean, self.reduction.direction)
        )
        return Line(mean, direction, np.quantile(self.values[:, place].astype(np.float64), np.linspace(0, 1, 101)))


def measure(codes: Float[np.ndarray, "rows unit dim"], choices: Sequence[Choice]) -> UnitValues:
    """The values of these choices over rows that are encoded."""
    packed = pack(codes, choices)
    reduction = reduce.fit(packed)
    return UnitValues(choices, codes.shape[2], reduction, reduce.apply(reduction, packed))


def pack(codes: Float[np.ndarray, "rows unit dim"], choices: Sequence[Choice]) -> Float[np.ndarray, "rows choice long"]:
    """The units [rows, choice, dim]; groups are vectors of what is in them, filled up with zeros to one length."""
    longest = max(len(choice.units) for choice in choices) * codes.shape[2]
    groups = [codes[:, choice.units].reshape(len(codes), -1) for choice in choices]
    return np.stack([np.pad(group, ((0, 0), (0, longest - group.shape[1]))) for group in groups], 1)


def read_back(method: Method, pixels: Pixels, choices: Sequence[Choice]) -> Float[np.ndarray, "rows choice long"]:
    """The codes of stored images, packed by choice."""
    with evaluating(method):
        parts = [method.encode(part) for part in to_images(pixels, best_device()).split(250)]
    return pack(torch.cat(parts).float().cpu().numpy(), choices)


def one_by_one(method: Method, count: int) -> list[int | str]:
    """What to look at: the groups of a method, unless it has one alone or none; else its single units."""
    groups = list(method.groups())
    return list(groups) if len(groups) > 1 else list(range(count))


def widest(codes: Float[np.ndarray, "rows unit dim"], choices: Sequence[Choice], most: int) -> list[Choice]:
    """At most `most` choices, those that vary most, in their order."""
    spread = [float(np.square(codes[:, choice.units].std(0)).sum()) for choice in choices]
    kept = np.sort(np.argsort(-np.array(spread), kind="stable")[:most])
    return [choices[place] for place in kept]


def lines(run: Run, choices: Sequence[Choice]) -> list[Line]:
    """The line of every choice: of single units from the run's statistics, of groups from rows of its data.

    A folder that `unweave app --export` wrote brings those of its choices along. Raises LookupError for a run without
    statistics, and where there are groups and the data are gone.
    """
    found = kept_lines(run)
    grouped = [choice for choice in choices if len(choice.units) > 1 and choice.word not in found]
    found |= dict(zip((choice.word for choice in grouped), _grouped(run, grouped) if grouped else []))
    statistics = run.statistics()
    mean, direction, _ = statistics.reduction
    for choice in choices:
        if len(choice.units) == 1 and choice.word not in found:
            unit = choice.units
            found[choice.word] = Line(mean[unit], direction[unit], statistics.quantiles[:, unit[0]].astype(np.float64))
    return [found[choice.word] for choice in choices]


def keep_lines(folder: Path, choices: Sequence[Choice], lines: Sequence[Line]) -> None:
    """Write them into the folder of a run that will have neither report nor data."""
    found = {
        choice.word: {part: array.tolist() for part, array in line._asdict().items()}
        for choice, line in zip(choices, lines)
    }
    (folder / KEPT).write_text(json.dumps(found))


def kept_lines(run: Run) -> dict[str, Line]:
    """What `keep_lines` wrote, by the word of the choice; nothing in other runs. Raises ValueError for damaged ones."""
    path = run.path / KEPT
    try:
        found = json.loads(path.read_text()) if path.is_file() else {}
        return {word: Line(**{part: np.array(of) for part, of in line.items()}) for word, line in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): export the folder again.") from None


def _grouped(run: Run, choices: Sequence[Choice]) -> list[Line]:
    dataset = run.dataset()
    table = code_table(run, dataset, sampling.sample_rows(len(dataset), ROWS, 0), 0, "averaged")
    measured = measure(table, choices)
    return [measured.line(place) for place in range(len(choices))]
