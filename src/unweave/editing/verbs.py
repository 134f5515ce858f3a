"""The editing verbs over a run: pictures in, edited images and a labelled figure out.

An image is a row number of the run's data set or the path of an image file. Every verb says which x_T it begins
from: the inverted one of each image, or one drawn from a seed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from unweave.editing.adjust import adjust_units
from unweave.editing.heatmap import change_maps
from unweave.editing.interpolate import interpolate_units, interpolation_weights
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_each
from unweave.editing.traverse import traverse_units
from unweave.figures.grid import grid
from unweave.figures.overlay import overlay
from unweave.figures.save import save_picture
from unweave.figures.traversal import save_gif, traversal
from unweave.method import Method, Sampling, evaluating
from unweave.models.diffusion.sampling import check_sampling
from unweave.runs.codes import check_generative, encode_images
from unweave.runs.images import ImageNames, NamedImages, random_rows, read_images
from unweave.runs.run import Run
from unweave.runs.unit_ranges import lines
from unweave.runs.units import Choice, Chosen, choices, named
from unweave.tensors import Images

SAMPLING = Sampling("dpmsolver++", 20)


class Edit(NamedTuple):
    """Edited images in [-1, 1], the figure that shows them, and the files that were written."""

    images: Float[Tensor, "..."]
    picture: Image.Image
    files: list[Path] = []  # noqa: RUF012 a tuple's default is never changed


def pairs(
    run: Run, images: ImageNames | None, partners: ImageNames | None, count: int
) -> tuple[NamedImages, NamedImages]:
    """Images and as many partners: random rows for what is not named, and a single partner serves every image."""
    if images is None:
        images = random_rows(run, count if partners is None or len(partners) == 1 else len(partners), seed=0)
    if partners is None:
        partners = random_rows(run, len(images), seed=1)
    first, second = read_images(run, images), read_images(run, partners)
    if len(second.labels) == 1:
        second = NamedImages(second.images.expand_as(first.images), second.labels * len(first.labels))
    return first, second


def swap(
    run: Run | str | Path,
    images: ImageNames | None = None,
    partners: ImageNames | None = None,
    units: Chosen | None = None,
    *,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """Every listed unit (all if none) in turn taken from the partner; images [image, edit, channel, height, width].

    One row of the figure is: the image, its partner, its reconstruction, and one edit per unit. `seed` None begins
    from the inverted x_T, a number from that seed.
    """
    run = opened(run)
    target = place_for(run, "swap", output, overwrite)
    first, second = pairs(run, images, partners, 3)
    method = run.method()
    taken = choices(method, first.images, units, named(run))
    made = swap_table(method, first.images, second.images, taken, sampling=sampling, seed=seed, labels=first.labels)
    return made._replace(files=[save_picture(made.picture, target, overwrite=overwrite)])


def swap_table(
    method: Method,
    images: Images,
    partners: Float[Tensor, "..."],
    taken: Sequence[Choice],
    *,
    sampling: Sampling,
    seed: int | None,
    labels: Sequence[str] | None = None,
) -> Edit:
    """The figure of `swap` for images that are at hand."""
    check_sampling(sampling)
    start = make_start(method, images, sampling=sampling, seed=seed)
    plain = reconstruct_images(method, images, sampling=sampling, start=start)
    edits = [choice.units for choice in taken]
    edited = swap_each(method, images, partners, edits, sampling=sampling, start=start)
    table = torch.cat([torch.stack([images, partners, plain], 1), edited], 1)  # (image, column, channel, height, width)
    columns = ["image", "partner", "rebuilt", *(choice.name for choice in taken)]
    picture = grid(
        list(table),
        list(labels) if labels else None,
        columns,
        title=f"One {'group of units' if method.groups() else 'unit'} at a time from the partner ({said(seed)})",
    )
    return Edit(edited, picture)


def traverse(
    run: Run | str | Path,
    images: ImageNames | None = None,
    units: Chosen | None = None,
    *,
    steps: int = 7,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """Each unit from its 2 % to its 98 % quantile, all else fixed; images [unit, step, image, channel, height, width].

    The figure and the GIF show the first image. The quantiles are the run's own, so no data are needed for single
    units; ranges and groups move as one, along their first principal component over rows of the run's data. If none
    are listed, all are taken; of a method with groups those, or, where it has but one, the ten units that vary most.
    """
    run, method = opened(run), opened(run).method()
    target = place_for(run, "traverse", output, overwrite)
    film = _checked(target.with_suffix(".gif"), overwrite)
    given = read_images(run, images if images is not None else random_rows(run, 1))
    start = make_start(method, given.images, sampling=sampling, seed=seed)
    statistics = run.statistics()
    if steps < 2:
        raise ValueError(f"steps must be at least 2, the two ends, got {steps}.")
    shares = torch.linspace(0.02, 0.98, steps).tolist()
    if units is None and len(method.groups()) == 1:
        span = statistics.quantiles[98] - statistics.quantiles[2]
        units = np.sort(np.argsort(-span, kind="stable")[:10]).tolist()
    taken = choices(method, given.images, units, named(run))
    points = [torch.stack([line.point(share) for share in shares]) for line in lines(run, taken)]
    edits = [choice.units for choice in taken]
    frames = traverse_units(method, given.images, edits, points, sampling=sampling, start=start)
    title = f"{given.labels[0]}: every unit from low to high ({said(seed)})"
    rows = [choice.name for choice in taken]
    picture = traversal(frames[:, :, 0], shares, units=rows, title=title)
    saved = save_picture(picture, target, overwrite=overwrite)
    save_gif(frames[:, :, 0], film, units=rows, overwrite=overwrite)
    return Edit(frames, picture, [saved, film])


def adjust(
    run: Run | str | Path,
    images: ImageNames | None = None,
    to: Mapping[int | str, float] | None = None,
    *,
    seed: int | None = None,
    sampling: Sampling = SAMPLING,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """Units set to quantiles of their range, all at once; images [image, channel, height, width].

    `to` is {unit, range, group or name: quantile in [0, 1]}. A row of the figure is: the image, its reconstruction, the
    edit, and where the two differ. `seed` None begins from the inverted x_T. Raises ValueError for quantiles outside
    [0, 1] and for a unit that is set twice.
    """
    run, method = opened(run), opened(run).method()
    target = place_for(run, "adjust", output, overwrite)
    if not to:
        raise ValueError("which units? Say where each shall be in its range, from 0 to 1: {3: 0.9}.")
    if wrong := [f"{unit}={share}" for unit, share in to.items() if not 0 <= share <= 1]:
        raise ValueError(f"a quantile is from 0 (lowest) to 1 (highest), got {', '.join(wrong)}.")
    given = read_images(run, images if images is not None else random_rows(run, 3))
    taken = choices(method, given.images, list(to), named(run))
    every = [unit for choice in taken for unit in choice.units]
    if len(set(every)) < len(every):
        raise ValueError(f"a unit can be in one place only, and one is set twice in {', '.join(map(str, to))}.")
    values = [line.point(share) for line, share in zip(lines(run, taken), to.values())]
    start = make_start(method, given.images, sampling=sampling, seed=seed)
    plain = reconstruct_images(method, given.images, sampling=sampling, start=start)
    edits = [choice.units for choice in taken]
    made = adjust_units(method, given.images, edits, values, sampling=sampling, start=start)
    columns = ["image", "rebuilt", "edit", "difference"]
    title = ", ".join(f"{choice.name} at {share:.0%}" for choice, share in zip(taken, to.values()))
    table = torch.stack([given.images, plain, made, difference(made, plain)], 1)
    picture = grid(list(table), given.labels, columns, title=f"{title} ({said(seed)})")
    return Edit(made, picture, [save_picture(picture, target, overwrite=overwrite)])


def difference(made: Images, plain: Images) -> Images:
    """The size of the change of every pixel, mean over channels, in [-1, 1]: black is none, white is 0.5 or more."""
    change = ((made - plain).abs() / 2).mean(1, keepdim=True)
    return (4 * change - 1).clamp(-1, 1).expand_as(made)


def interpolate(
    run: Run | str | Path,
    images: ImageNames | None = None,
    partners: ImageNames | None = None,
    units: Chosen | None = None,
    *,
    steps: int | Sequence[float | int] = 7,
    seed: int | None = None,
    noise: bool | None = None,
    sampling: Sampling = SAMPLING,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """From each image to its partner in `steps` steps, in the listed units (all if none).

    `steps` may be the shares of the way themselves (alpha of DiTi's counterfactuals), from 0 (the image) to 1.
    With `noise` the inverted x_T goes along, on the great circle from one image's to the other's: as it does where all
    units go (None), and in the counterfactuals of DiTi where a few do. Raises ValueError for `noise` with a seed.
    """
    if noise and seed is not None:
        raise ValueError("noise=True goes between the inverted x_T of two images, so it takes no seed.")
    run, method = opened(run), opened(run).method()
    target = place_for(run, "interpolate", output, overwrite)
    check_sampling(sampling)
    shares = interpolation_weights(steps)
    first, second = pairs(run, images, partners, 3)
    start = make_start(method, first.images, sampling=sampling, seed=seed)
    along = seed is None and (units is None if noise is None else noise)
    other = make_start(method, second.images, sampling=sampling, seed=None) if along else None
    moved_units = None if units is None else choices(method, first.images, units, named(run))
    taken = None if moved_units is None else [unit for choice in moved_units for unit in choice.units]
    frames = interpolate_units(
        method, first.images, second.images, shares, taken, sampling=sampling, start=start, partner_start=other
    )
    table = torch.cat([first.images[None], frames, second.images[None]]).transpose(0, 1)
    columns = ["image", *(f"{100 * share:.3g}%" for share in shares), "partner"]
    what = "all units" if moved_units is None else ", ".join(choice.name for choice in moved_units)
    picture = grid(
        list(table),
        first.labels,
        columns,
        title=f"Interpolation of {what} ({'x_T goes along' if along else said(seed)})",
    )
    return Edit(frames, picture, [save_picture(picture, target, overwrite=overwrite)])


def reconstruct(
    run: Run | str | Path,
    images: ImageNames | None = None,
    *,
    sampling: Sampling = SAMPLING,
    seed: int | None = 0,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """Images from their own units: with their inverted x_T, and from a seed, which shows what the units hold alone.

    Images are [2, image, channel, height, width]: inverted, then seeded.
    """
    run, method = opened(run), opened(run).method()
    target = place_for(run, "reconstruct", output, overwrite)
    given = read_images(run, images if images is not None else random_rows(run, 8))
    plain = sampling._replace(eta=0.0)
    inverted, seeded = (
        reconstruct_images(
            method, given.images, sampling=plain, start=make_start(method, given.images, sampling=plain, seed=s)
        )
        for s in (None, seed or 0)
    )
    if sampling.eta:
        seeded = drawn(method, given.images, sampling, seed or 0)
    errors = [((made - given.images) / 2).square().mean().item() for made in (inverted, seeded)]
    labels = ["image", f"inverted x_T, MSE {errors[0]:.4f}", f"units alone, MSE {errors[1]:.4f}"]
    picture = grid(
        [given.images, inverted, seeded],
        labels,
        given.labels,
        title="Reconstruction (mean squared error, pixels in [0, 1])",
    )
    return Edit(torch.stack([inverted, seeded]), picture, [save_picture(picture, target, overwrite=overwrite)])


def drawn(method: Method, images: Images, sampling: Sampling, seed: int) -> Images:
    """Images from their own units with the sampler's own noise (eta > 0), as the releases draw them."""
    check_sampling(sampling)
    generative = check_generative(method)
    rng = torch.Generator().manual_seed(seed)
    with evaluating(generative):
        units = encode_images(generative, images, 64)
        return generative.decode(units, generative.start(len(images), rng), sampling, rng)


def heatmap(
    run: Run | str | Path,
    images: ImageNames | None = None,
    partners: ImageNames | None = None,
    *,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """Which unit (or group) moves which pixels: mean absolute change when it is swapped; [edit, height, width]."""
    run, method = opened(run), opened(run).method()
    target = place_for(run, "heatmap", output, overwrite)
    first, second = pairs(run, images, partners, 8)
    start = make_start(method, first.images, sampling=sampling, seed=seed)
    chosen = choices(method, first.images, None, named(run))
    edits = [choice.units for choice in chosen]
    maps = change_maps(method, first.images, second.images, sampling=sampling, start=start, edits=edits)
    title = f"Which unit moves which pixels, over {len(first.images)} swaps ({said(seed)})"
    picture = overlay(maps, first.images[0], units=[choice.name for choice in chosen], title=title)
    return Edit(maps, picture, [save_picture(picture, target, overwrite=overwrite)])


def opened(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else Run(run)


def said(seed: int | None) -> str:
    """Which x_T an edit began from."""
    return "inverted x_T" if seed is None else f"x_T of seed {seed}"


def place_for(run: Run, name: str, output: Path | None, overwrite: bool) -> Path:
    """Where the figure will go, checked before the work: RUN/pictures/NAME.png, or a free name like it."""
    if output is not None:
        return _checked(output, overwrite)
    path, number = run.pictures / f"{name}.png", 1
    while not overwrite and (path.exists() or path.with_suffix(".gif").exists()):
        number += 1
        path = run.pictures / f"{name}-{number}.png"
    return path


def _checked(path: Path, overwrite: bool) -> Path:
    if path.suffix.lower() not in (".png", ".jpg", ".webp", ".gif"):
        raise ValueError(f"{path.name!r} must end in .png, .jpg or .webp, got {path.suffix!r}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is there already: choose another --output, or give --overwrite.")
    return path
