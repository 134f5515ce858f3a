"""How two groups of images differ, unit by unit: effect sizes with intervals, and the change of a picture."""

import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from unweave.evaluation.contrast.compared import compared_in
from unweave.evaluation.contrast.groups import Group, by_column, replicates_of, two_sets
from unweave.evaluation.contrast.page import render_contrast
from unweave.evaluation.find_factors import SAMPLING
from unweave.evaluation.metrics.two_groups import (
    Ceiling,
    GroupDifference,
    InB,
    Replicates,
    ceiling,
    design,
    differences,
    smallest_p,
)
from unweave.evaluation.report.report import check_output, set_aside
from unweave.evaluation.run_editor import RunEditor
from unweave.factors.measurements import measure_pictures
from unweave.factors.names import measured_in_whole
from unweave.figures.pixels import rgb_pixels
from unweave.files import check_writable, is_writable, write_atomically, write_json
from unweave.method import Generative, Method, Sampling
from unweave.runs.codes import codes_at
from unweave.runs.lock import one_writer
from unweave.runs.run import Run
from unweave.runs.units import UnitGroup
from unweave.tensors import Images, to_images, to_pixels

DRAWN = 8  # units, those that differ most
SHOWN = 8  # pictures of each group, as they are and rebuilt
MEASURED = 200  # pictures of each group in which what a factor is named after is measured
FAINT_BELOW = 0.02  # of the largest change of a picture; below it a unit moves next to nothing
LEVEL = 0.05  # of the adjusted p, from which a difference is called one
MAX_COLUMNS = 1_024  # numbers of a code that tell the groups apart together; of more, one of each unit

logger = logging.getLogger("unweave")


@dataclass(frozen=True)
class UnitContrast:
    """A unit (or group of units) in both groups."""

    word: str  # what asks for it
    name: str
    difference: GroupDifference
    change: float | None  # mean absolute change of pixels in [0, 1], from A's median to B's; None where none is drawn
    measured: tuple[float, float] | None  # medians in pictures of A and B of what its name is of; None without such

    @property
    def differs(self) -> bool:
        """Whether it differs by more than chance."""
        return self.difference.adjusted < LEVEL


@dataclass(frozen=True)
class ContrastFacts:
    """What contrast.json says. Units are in the order of how far they differ."""

    run: str
    names: tuple[str, str]
    rows: tuple[int, int]
    replicates: tuple[int, int] | None  # of each group; None where every image stands for itself
    design: str  # rows, nested or crossed: see `two_groups.design`
    smallest_p: float  # that this design allows: where it is not below LEVEL, nothing can be said to differ
    kind: Literal["factors", "units"]  # what is compared
    ceiling: Ceiling
    units: list[UnitContrast]
    weights: str  # digest of the run's raw weights
    seed: int

    @property
    def differ_together(self) -> bool:
        """Whether all units together tell the groups apart and none does alone, though the design allows that."""
        return self.smallest_p < LEVEL and self.ceiling.low > 0.5 and not any(unit.differs for unit in self.units)

    def to_json(self) -> dict[str, Any]:
        units = [
            {
                "word": unit.word,
                "name": unit.name,
                **unit.difference._asdict(),
                "auroc": unit.difference.auroc,
                "differs": unit.differs,
                "change": unit.change,
                "measured": unit.measured,
            }
            for unit in self.units
        ]
        own = {"ceiling": self.ceiling._asdict(), "units": units, "level": LEVEL, "measured_rows": MEASURED}
        largest = max((unit["change"] for unit in units if unit["change"] is not None), default=0.0)
        for unit in units:
            unit["faint"] = unit["change"] is not None and unit["change"] < FAINT_BELOW * largest
        return {**asdict(self), **own, "differ_together": self.differ_together}


class TypicalPicture(NamedTuple):
    """The picture of A whose code is nearest to the median: itself, with a unit at A's median, and at B's."""

    steps: UInt8[np.ndarray, "3 height width channel"]
    change: float


class Contrast(NamedTuple):
    """The page, the same as JSON, and its content; no files of a run that cannot be written to."""

    page: Path | None
    json: Path | None
    facts: ContrastFacts


def contrast(
    run: Run | str | Path,
    a: str,
    b: str,
    *,
    by: str | None = None,
    replicate: str | None = None,
    single_units: bool = False,
    sampling: Sampling = SAMPLING,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
) -> Contrast:
    """In which factors (or units) two groups of images differ: folders or data sets, or two values of a column.

    `by` is FILE:COLUMN; a and b are then values of it, or comparisons such as <12, and the images those of the run.
    `replicate` (FILE:COLUMN, or `folders`) names what is independent of each other, such as plates, animals or days;
    tiles and pages of one picture always stay together. Factors are compared where the run's were found, unless
    `single_units` are asked for. Of each: Cliff's delta with an interval of 95 %, p, and p adjusted by Benjamini and
    Hochberg over all of them; the medians in pictures of both groups of what a factor is named after; and of the
    picture of a that is nearest to its median, the change as this unit alone goes to b's median. Random pictures of
    both groups are shown, and rebuilt where the method has a decoder. The ceiling is the cross-validated AUROC of all
    together.

    The page goes to the run's contrast-A-B.html, the JSON beside it; earlier ones are kept under the next free number.
    A run that cannot be written to gets neither, which a warning says. Raises ValueError for groups that cannot be
    compared and an `output` that is no .html, FileExistsError for one that is there, or whose JSON is, and
    UnwritableError for one that cannot be made.
    """
    check_output(output, overwrite)
    if output is not None:
        check_writable(output)
    run = run if isinstance(run, Run) else Run(run)
    groups = two_sets(run, a, b, seed) if by is None else by_column(run, by, a, b, seed)
    page = output or run.path / f"contrast-{_word(groups[0].name)}-{_word(groups[1].name)}.html"
    replicates = replicates_of(groups, replicate)
    in_b = np.repeat([False, True], [len(group.rows) for group in groups])
    kind, least = design(in_b, replicates), smallest_p(in_b, replicates)
    if least >= LEVEL:
        logger.warning("so few of each group allow no p below %.2g: nothing can be said to differ", least)
    keeps = is_writable(page)
    if not keeps:
        logger.warning("%s cannot be written, and the page is not kept: --output keeps it elsewhere", page)
    method = run.method()
    codes = np.concatenate([codes_at(run, method, group.dataset, group.rows) for group in groups])
    compared = compared_in(run, method, codes, single_units=single_units)
    values = compared.values
    found = differences(values, in_b, replicates, seed)
    order = sorted(range(len(found)), key=lambda k: (found[k].adjusted, -abs(found[k].delta)))
    lines = [compared.medians(k, codes, in_b) for k in order[:DRAWN]]
    drawn = _draw(method, groups[0], codes[~in_b], [compared.groups[k] for k in order[:DRAWN]], lines, sampling)
    measured = _measured(compared.measured, groups, seed)
    facts = ContrastFacts(
        run=str(run.path),
        names=(groups[0].name, groups[1].name),
        rows=(len(groups[0].rows), len(groups[1].rows)),
        replicates=_counts(in_b, replicates),
        design=kind,
        smallest_p=least,
        kind=compared.kind,
        ceiling=ceiling(_together(codes, values), in_b, replicates, seed),
        units=[
            UnitContrast(
                compared.groups[k].word,
                compared.groups[k].name,
                found[k],
                drawn[rank].change if rank < len(drawn) else None,
                measured.get(k),
            )
            for rank, k in enumerate(order)
        ],
        weights=run.digest(),
        seed=seed,
    )
    if not keeps:
        return Contrast(None, None, facts)
    examples = [_examples(method, group, sampling, seed) for group in groups]
    content = render_contrast(facts.to_json(), [picture.steps for picture in drawn], examples)
    with one_writer(run.path):
        if output is None:
            set_aside(page)
        json_path = write_json(page.with_suffix(".json"), facts.to_json())
        write_atomically(page, content)
    return Contrast(page, json_path, facts)


def _word(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name.replace("<", "below-").replace(">", "above-")).strip("-")


def _counts(in_b: InB, replicates: Replicates | None) -> tuple[int, int] | None:
    if replicates is None:
        return None
    return len(np.unique(replicates[~in_b])), len(np.unique(replicates[in_b]))


def _together(
    codes: Float[np.ndarray, "rows unit dim"], values: Float[np.ndarray, "rows group"]
) -> Float[np.ndarray, "rows column"]:
    flat = codes.reshape(len(codes), -1).astype(np.float64)
    return flat if flat.shape[1] <= MAX_COLUMNS else values


def _measured(names: Sequence[str | None], groups: Sequence[Group], seed: int) -> dict[int, tuple[float, float]]:
    """By factor, the medians in pictures of both groups of what its name is of, where that is of whole pictures."""
    columns = {k: column for k, name in enumerate(names) if (column := measured_in_whole(name)) is not None}
    if not columns:
        return {}
    tables = []
    for group in groups:
        rows = np.sort(np.random.default_rng(seed).permutation(group.rows)[:MEASURED])
        pictures = rgb_pixels(group.dataset.images(rows))
        tables.append(measure_pictures(pictures, np.ones((1, *pictures.shape[1:3]), bool))[0])
    measured = {k: [table[:, column] for table in tables] for k, column in columns.items()}
    return {
        k: (float(np.nanmedian(a)), float(np.nanmedian(b)))
        for k, (a, b) in measured.items()
        if min(np.isfinite(a).mean(), np.isfinite(b).mean()) >= 0.5
    }


def _examples(method: Method, group: Group, sampling: Sampling, seed: int) -> list[Images]:
    """Random pictures of a group, and them rebuilt where the method has a decoder."""
    rows = np.random.default_rng(seed).permutation(group.rows)[:SHOWN]
    if not isinstance(method, Generative):
        return [to_images(group.dataset.images(rows), torch.device("cpu"))]
    editor = RunEditor(method, group.dataset, sampling, seed)
    images = editor.images(rows)
    return [images.cpu(), editor.rebuild(images).cpu()]


def _draw(
    method: Method,
    a: Group,
    codes: Float[np.ndarray, "rows unit dim"],
    units: Sequence[UnitGroup],
    lines: Sequence[Float[torch.Tensor, "2 _ dim"]],
    sampling: Sampling,
) -> list[TypicalPicture]:
    """The change of A's most typical picture (`codes` are A's) along each line; none of a method without decoder."""
    if not isinstance(method, Generative):
        return []
    spread = np.maximum(codes.std(0), 1e-12)
    typical = int((((codes - np.median(codes, axis=0)) / spread) ** 2).sum((1, 2)).argmin())
    row = a.rows[[typical]]
    editor = RunEditor(method, a.dataset, sampling, 0)
    moved = editor.traverse(row, [unit.units for unit in units], lines)[:, :, 0]  # (unit, step, channel, height, width)
    image = editor.images(row)
    return [
        TypicalPicture(to_pixels(torch.cat([image, steps])), float((steps[1] - steps[0]).abs().mean() / 2))
        for steps in moved
    ]
