"""The verbs that only some methods have: what each lists as its `extra_verbs`, over a run, with a figure."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unweave.editing.edit import Edit, FigureLabels, grid_edit
from unweave.editing.inputs import SAMPLING, EditInputs, read_inputs, read_pairs
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import start_label
from unweave.figures.colours import add_colour_bar, colourise
from unweave.figures.grid import grid
from unweave.figures.overlay import overlay
from unweave.method import Sampling, evaluating, find_method
from unweave.runs.codes import encode_images
from unweave.runs.images import ImageNames, list_images
from unweave.runs.run import Run
from unweave.runs.units import UnitSelection, unit_names, unit_titles
from unweave.types import list_times

TIMES = (20, 100, 250, 400, 550, 700, 850, 980)


def attention_maps(
    run: Run | str | Path,
    images: ImageNames | None = None,
    *,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
) -> Edit:
    """Where each unit's token is attended to in the first image; [unit, height, width]. For methods with maps."""
    inputs = read_inputs(run, images, 1, sampling)
    compute = method_extra(inputs, "attention", "attention maps")
    with evaluating(inputs.method):
        coarse = compute(inputs.method, inputs.images, inputs.start(sampling, seed), sampling)
    maps = torch.nn.functional.interpolate(coarse, size=inputs.images.shape[2:], mode="bilinear")[0]
    names, first = unit_titles(range(len(maps)), unit_names(inputs.run)), inputs.images[0]
    title = f"Attention to each unit, {inputs.labels[0]}"
    return Edit(
        maps,
        FigureLabels([], names),
        lambda: overlay(maps, first, units=names, title=title, quantity="share of attention"),
    )


def field_maps(
    run: Run | str | Path,
    images: ImageNames | None = None,
    units: UnitSelection | None = None,
    times: int | Sequence[int] = TIMES,
    *,
    seed: int = 0,
) -> Edit:
    """How strongly each unit's gradient field acts, where and when: [image, unit, time, rows, columns].

    The size of what it adds to the noise prediction (mean over channels) for images noised to these times, from
    0 (clean) to 999 (noise). The figure is of the first image. For methods with a field for every unit. Raises
    ValueError for a method without, and for times outside 0 .. 999.
    """
    times, inputs = list_times(times), read_inputs(run, images, 1)
    compute = method_extra(inputs, "fields", "gradient fields")
    names, indices = unit_names(inputs.run), inputs.single_units(units)
    with evaluating(inputs.method):
        maps = compute(inputs.method, inputs.images, times, seed)[:, indices]
    labels = FigureLabels(unit_titles(indices, names), [f"t = {time}" for time in times])
    title, size = f"What each unit adds to the noise prediction, {inputs.labels[0]}", inputs.images.shape[2:]

    def draw() -> Image.Image:
        high = float(maps[0].max()) or 1.0
        enlarged = torch.nn.functional.interpolate(maps[0], size=size, mode="nearest")
        cells = [colourise(row.cpu().numpy() / high) for row in enlarged]
        table = grid(cells, labels.rows, labels.columns, title=title)
        return add_colour_bar(table, colourise(np.linspace(0, 1, 256)), high, "mean size")

    return Edit(maps, labels, draw)


def edit_alone(
    run: Run | str | Path,
    images: ImageNames | None = None,
    partners: ImageNames | None = None,
    units: UnitSelection | None = None,
    *,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
) -> Edit:
    """Every listed unit's field by itself (DisDiff's partial swap): [image, column, channel, height, width].

    The unit comes from the partner, all other fields are left out, and the rest is the frozen model's own. The last
    column has all listed units at once, of the partner. With an empty list of `partners` the vectors are the image's
    own. For methods with a field for every unit.
    """
    own = partners is not None and not list_images(partners)
    inputs = read_inputs(run, images, 3, sampling) if own else read_pairs(run, images, partners, 3, sampling)
    compute = method_extra(inputs, "alone", "single fields")
    names, indices = unit_names(inputs.run), inputs.single_units(units)
    edits = [[unit] for unit in indices] + ([indices] if len(indices) > 1 else [])
    start = inputs.start(sampling, seed)
    rebuilt = reconstruct_images(inputs.method, inputs.images, sampling=sampling, start=start)
    with evaluating(inputs.method):
        vectors = encode_images(inputs.method, inputs.partners, 64)
        edited = torch.stack([compute(inputs.method, vectors, start, sampling, edit) for edit in edits], 1)
    originals = [inputs.images] if own else [inputs.images, inputs.partners]
    cells = torch.cat([torch.stack([*originals, rebuilt], 1), edited], 1)
    columns = ["image", "rebuilt"] if own else ["image", "partner", "rebuilt"]
    columns += [f"only {title}" for title in unit_titles(indices, names)]
    columns += ["all of them"] if len(indices) > 1 else []
    title = f"The fields of single units, {'of the image' if own else 'of the partner'} ({start_label(seed)})"
    return grid_edit(edited, list(cells), inputs.labels, columns, title)


def method_extra(inputs: EditInputs, name: str, what: str) -> Callable[..., Tensor]:
    """A function that the run's method lists among its extra verbs. Raises ValueError where it does not."""
    extras = find_method(inputs.run.method_name).extra_verbs
    if name not in extras:
        raise ValueError(f"{inputs.run.method_name} has no {what}; it has: {', '.join(extras) or 'no extras'}.")
    return extras[name]
