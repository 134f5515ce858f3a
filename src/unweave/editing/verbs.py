"""The editing verbs over a run: pictures in, edited images and a labelled figure out. They write nothing.

An image is a row number of the run's data set or the path of an image file. Every verb says which x_T it begins
from: the inverted one of each image, or one drawn from a seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.editing.adjust import adjust_units
from unweave.editing.edit import Edit, FigureLabels, grid_edit
from unweave.editing.heatmap import change_maps
from unweave.editing.inputs import SAMPLING, read_inputs, read_pairs
from unweave.editing.interpolate import interpolate_units, interpolation_weights
from unweave.editing.placing import Place, combine, parse_place, place_groups
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start, start_note
from unweave.editing.swap import swap_each
from unweave.editing.traverse import traverse_units
from unweave.figures.grid import grid
from unweave.figures.overlay import overlay
from unweave.figures.traversal import cycle
from unweave.method import Generative, Method, Sampling, evaluating
from unweave.models.diffusion.sampling import check_sampling
from unweave.runs.codes import encode_images
from unweave.runs.factors import FACTOR_WORD
from unweave.runs.images import ImageNames
from unweave.runs.run import Run
from unweave.runs.unit_ranges import CodeRange, curves_of, unit_ranges
from unweave.runs.units import UnitGroup, UnitSelection
from unweave.tensors import Images


def swap(
    run: Run | str | Path,
    images: ImageNames | None = None,
    partners: ImageNames | None = None,
    units: UnitSelection | None = None,
    *,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
) -> Edit:
    """Every listed unit in turn taken from the partner; images [image, edit, channel, height, width].

    If none are listed, the factors of the run are taken, where they were found, else its groups or all units.

    One row of the figure is: the image, its partner, its reconstruction, and one edit per unit. `seed` None begins
    from the inverted x_T, a number from that seed.
    """
    inputs = read_pairs(run, images, partners, 3, sampling)
    groups = inputs.units(units)
    return swap_images(
        inputs.method, inputs.images, inputs.partners, groups, sampling=sampling, seed=seed, labels=inputs.labels
    )


def swap_images(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    groups: Sequence[UnitGroup],
    *,
    sampling: Sampling,
    seed: int | None,
    labels: Sequence[str] = (),
) -> Edit:
    """`swap` of images that are at hand; `labels` are of the images, if they have any."""
    check_sampling(sampling)
    start = make_start(method, images, sampling=sampling, seed=seed)
    rebuilt = reconstruct_images(method, images, sampling=sampling, start=start)
    edits = [group.units for group in groups]
    edited = swap_each(method, images, partners, edits, sampling=sampling, start=start)
    cells = torch.cat([torch.stack([images, partners, rebuilt], 1), edited], 1)  # (row, column, channel, height, width)
    columns = ["image", "partner", "rebuilt", *(group.name for group in groups)]
    unit = "group of units" if method.groups() and not _are_factors(groups) else _what(groups)
    title = f"One {unit} at a time from the partner{start_note(seed, start)}"
    return replace(grid_edit(edited, list(cells), labels, columns, title), rebuilt=rebuilt)


def _what(groups: Sequence[UnitGroup]) -> str:
    return "factor" if _are_factors(groups) else "unit"


def _are_factors(groups: Sequence[UnitGroup]) -> bool:
    return bool(groups) and all(FACTOR_WORD.fullmatch(group.word) for group in groups)


def traverse(
    run: Run | str | Path,
    images: ImageNames | None = None,
    units: UnitSelection | None = None,
    *,
    steps: int = 7,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
) -> Edit:
    """Each unit from its 2 % to its 98 % quantile, all else fixed; images [unit, step, image, channel, height, width].

    The figure, and the film that `.save("x.gif")` writes, show the first image; in the film a closed factor goes on
    round and all others back. The quantiles are the run's own, so no
    data are needed for single units. The units of a factor move together along its coordinate, and a closed one goes
    once round, without its first step again at the end. A discrete unit goes through its values, from the first to the
    last; with as many steps as it has values, through each. Ranges, groups and factors without a coordinate move along
    their first principal component over rows of the run's data. If none are listed, the factors of the run are taken,
    where they were found; else all units; of a method with groups those, or, where it has but one, the ten units that
    vary most.
    """
    inputs = read_inputs(run, images, 1, sampling)
    statistics = inputs.run.statistics()
    if steps < 2:
        raise ValueError(f"steps must be at least 2, the two ends, got {steps}.")
    groups = inputs.units(units)
    if units is None and [group.word for group in groups] == list(inputs.method.groups()) and len(groups) == 1:
        span = statistics.quantiles[98] - statistics.quantiles[2]
        groups = inputs.units(np.sort(np.argsort(-span, kind="stable")[:10]).tolist())
    lines = unit_ranges(inputs.run, groups)
    points = [line.codes_at(line.steps(steps)) for line in lines]
    edits, start = [group.units for group in groups], inputs.start(sampling, seed)
    frames = traverse_units(inputs.method, inputs.images, edits, points, sampling=sampling, start=start)
    rows, columns = [group.name for group in groups], step_labels(lines, steps)
    title = f"{inputs.labels[0]}: every {_what(groups)} from low to high{start_note(seed, start)}"
    return Edit(
        frames,
        FigureLabels(rows, columns),
        lambda: grid(list(frames[:, :, 0]), rows, columns, title=title),
        film=cycle(frames[:, :, 0], [line.closed for line in lines]),
    )


def step_labels(lines: Sequence[CodeRange], steps: int) -> list[str]:
    """What stands above the steps of a traversal: what its rows have in common, or numbers where they differ."""
    first, *others = [line.labels(line.steps(steps)) for line in lines]
    return first if all(labels == first for labels in others) else [f"step {number}" for number in range(1, steps + 1)]


def adjust(
    run: Run | str | Path,
    images: ImageNames | None = None,
    to: Mapping[int | str, Place] | None = None,
    *,
    seed: int | None = None,
    sampling: Sampling = SAMPLING,
) -> Edit:
    """Units set to places in their range, all at once; images [image, channel, height, width].

    `to` is {unit, range, group, factor or name: place}: a quantile in [0, 1], a state of a factor as "state2", or
    "like:" and an image, whose value is taken. A single unit goes before a factor that it is in. A row of the figure
    is: the image, its reconstruction, the edit, and where the two differ. `seed` None begins from the inverted x_T.
    Raises ValueError for quantiles outside [0, 1], states that there are not, and a unit that is set twice.
    """
    if not to:
        raise ValueError("which units? Say where each shall be in its range, from 0 to 1: {3: 0.9}.")
    for unit, place in to.items():
        parse_place(place, unit)
    inputs = read_inputs(run, images, 3, sampling)
    placed = place_groups(inputs, inputs.units(list(to)), list(to.values()))
    units, codes = combine([(group, code) for group, code, _ in placed])
    start = inputs.start(sampling, seed)
    rebuilt = reconstruct_images(inputs.method, inputs.images, sampling=sampling, start=start)
    edited = adjust_units(inputs.method, inputs.images, [units], [codes], sampling=sampling, start=start)
    cells = torch.stack([inputs.images, rebuilt, edited, difference(edited, rebuilt)], 1)
    settings = ", ".join(label for _, _, label in placed)
    columns = ["image", "rebuilt", "edit", "difference"]
    drawn = grid_edit(edited, list(cells), inputs.labels, columns, f"{settings}{start_note(seed, start)}")
    return replace(drawn, rebuilt=rebuilt)


def difference(edited: Images, rebuilt: Images) -> Images:
    """The size of the change of every pixel, mean over channels, in [-1, 1]: black is none, white is 0.5 or more."""
    change = ((edited - rebuilt).abs() / 2).mean(1, keepdim=True)
    return (4 * change - 1).clamp(-1, 1).expand_as(edited)


def interpolate(
    run: Run | str | Path,
    images: ImageNames | None = None,
    partners: ImageNames | None = None,
    units: UnitSelection | None = None,
    *,
    steps: int | Sequence[float | int] = 7,
    seed: int | None = None,
    noise: bool | None = None,
    sampling: Sampling = SAMPLING,
) -> Edit:
    """From each image to its partner, in the listed units (all if none); images [step, image, channel, height, width].

    Units go in a straight line, discrete ones at once, half-way; factors that are listed go along their coordinate, a
    closed one the shorter way round.
    `steps` is their number or the shares of the way themselves (alpha of DiTi's counterfactuals), from 0 (the image)
    to 1. With `noise` the inverted x_T goes along, on the great circle from one image's to the other's: as it does
    where all units go (None), and in the counterfactuals of DiTi where a few do. Raises ValueError for `noise` with a
    seed.
    """
    if noise and seed is not None:
        raise ValueError("noise=True goes between the inverted x_T of two images, so it takes no seed.")
    weights = interpolation_weights(steps)
    inputs = read_pairs(run, images, partners, 3, sampling)
    method, start = inputs.method, inputs.start(sampling, seed)
    moves_noise = seed is None and (units is None if noise is None else noise)
    partner_start = make_start(method, inputs.partners, sampling=sampling, seed=None) if moves_noise else None
    groups = None if units is None else inputs.units(units)
    frames = interpolate_units(
        method,
        inputs.images,
        inputs.partners,
        weights,
        None if groups is None else [unit for group in groups for unit in group.units],
        sampling=sampling,
        start=start,
        partner_start=partner_start,
        curves=[] if groups is None else curves_of(inputs.run, groups),
        discrete=inputs.run.statistics().values if inputs.run.has_statistics() else (),
    )
    cells = torch.cat([inputs.images[None], frames, inputs.partners[None]]).transpose(0, 1)
    columns = ["image", *(f"{100 * weight:.3g}%" for weight in weights), "partner"]
    moving = "all units" if groups is None else ", ".join(group.name for group in groups)
    begins = start_note(seed, start) if partner_start is None else " (x_T goes along)"
    return grid_edit(frames, list(cells), inputs.labels, columns, f"Interpolation of {moving}{begins}")


def reconstruct(
    run: Run | str | Path,
    images: ImageNames | None = None,
    *,
    sampling: Sampling = SAMPLING,
    seed: int | None = 0,
) -> Edit:
    """Images from their own units: with their inverted x_T, and from a seed, which shows what the units hold alone.

    Images are [2, image, channel, height, width]: inverted, then seeded.
    """
    inputs = read_inputs(run, images, 8, sampling)
    method, originals = inputs.method, inputs.images
    deterministic = sampling._replace(eta=0.0)
    inverted, seeded = (
        reconstruct_images(method, originals, sampling=deterministic, start=inputs.start(deterministic, start_seed))
        for start_seed in (None, seed or 0)
    )
    if sampling.eta:
        seeded = reconstruct_with_noise(method, originals, sampling, seed or 0)
    errors = [((rebuilt - originals) / 2).square().mean().item() for rebuilt in (inverted, seeded)]
    rows = ["image", f"inverted x_T, MSE {errors[0]:.4f}", f"units alone, MSE {errors[1]:.4f}"]
    title = "Reconstruction (mean squared error, pixels in [0, 1])"
    return grid_edit(torch.stack([inverted, seeded]), [originals, inverted, seeded], rows, inputs.labels, title)


def reconstruct_with_noise(method: Generative, images: Images, sampling: Sampling, seed: int) -> Images:
    """Images from their own units with the sampler's own noise (eta > 0), as the releases draw them."""
    rng = torch.Generator().manual_seed(seed)
    with evaluating(method):
        units = encode_images(method, images, 64)
        return method.decode(units, method.start(len(images), rng), sampling, rng)


def heatmap(
    run: Run | str | Path,
    images: ImageNames | None = None,
    partners: ImageNames | None = None,
    units: UnitSelection | None = None,
    *,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
) -> Edit:
    """Which unit, group or factor moves which pixels: mean absolute change when it is swapped; [edit, height, width].

    If none are listed, those are taken that `traverse` takes.
    """
    inputs = read_pairs(run, images, partners, 8, sampling)
    groups, start = inputs.units(units), inputs.start(sampling, seed)
    edits = [group.units for group in groups]
    maps = change_maps(inputs.method, inputs.images, inputs.partners, sampling=sampling, start=start, edits=edits)
    names, first = [group.name for group in groups], inputs.images[0]
    title = f"Which {_what(groups)} moves which pixels, over {len(inputs.images)} swaps{start_note(seed, start)}"
    return Edit(maps, FigureLabels([], names), lambda: overlay(maps, first, units=names, title=title))
