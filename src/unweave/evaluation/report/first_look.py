"""A first look at a run while it is still trained: its strongest units so far, and when the report will be there."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from unweave.data.dataset import Dataset
from unweave.data.sampling import sample_rows
from unweave.evaluation.find_factors import SAMPLING
from unweave.evaluation.report.drawings import STEPS
from unweave.evaluation.report.factor_cards import FILTERS, PACKAGE
from unweave.evaluation.report.measure_units import select_units
from unweave.evaluation.report.pictures import Strip
from unweave.evaluation.run_editor import RunEditor
from unweave.figures.html import template
from unweave.method import Generative, Method
from unweave.runs.codes import encode_rows
from unweave.runs.unit_ranges import measure_values
from unweave.tensors import to_pixels

MARK = "<!-- a first look, which the report replaces -->"
ROWS, UNITS, LOOKED_AT, IMAGES = 500, 6, 12, 2  # encoded; shown, of so many that vary most; images along each


class UnitLook(NamedTuple):
    """A unit, and images along it."""

    name: str
    strips: list[Strip]


class TrainingSoFar(NamedTuple):
    """How far a training is."""

    run: Path
    method: str
    seen: int
    images: int
    minutes_left: float | None  # None where it has ended or was stopped


def strongest_units(method: Method, dataset: Dataset) -> list[UnitLook]:
    """The six units that change pictures most, of the twelve that vary most; none of a method without a decoder."""
    if not isinstance(method, Generative):
        return []
    rows = sample_rows(len(dataset), ROWS, 0)
    codes = encode_rows(method, dataset, rows)
    measured = measure_values(codes, select_units(method, codes, {})[0][:LOOKED_AT])
    shares = np.linspace(0.02, 0.98, STEPS).tolist()
    lines = [measured.range_of(i).codes_at(shares) for i in range(len(measured.groups))]
    editor = RunEditor(method, dataset, SAMPLING, 0)
    frames = editor.traverse(rows[:IMAGES], [group.units for group in measured.groups], lines)
    effects = (frames[:, -1] - frames[:, 0]).abs().mean((1, 2, 3, 4)).cpu().numpy()
    return [
        UnitLook(measured.groups[i].name, [to_pixels(frames[i, :, image]) for image in range(frames.shape[2])])
        for i in np.argsort(-effects, kind="stable")[:UNITS]
    ]


def render_look(state: TrainingSoFar, looks: Sequence[UnitLook]) -> str:
    """The page: it loads itself anew until the report takes its place."""
    page = template(PACKAGE, "first_look.html.j2", **FILTERS)
    return page.render(state=state, looks=looks, mark=Markup(MARK))


def is_first_look(path: Path) -> bool:
    """Whether a page is one of these, which may be replaced."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK.encode() in file.read(200)
