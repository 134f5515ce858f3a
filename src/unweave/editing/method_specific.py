"""The verbs that only some methods have: what each lists as `extras` in its own file, over a run, with a figure."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unweave import registry
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.verbs import SAMPLING, Edit, opened, pairs, place_for, said
from unweave.figures.colours import add_colour_bar, colourise
from unweave.figures.grid import grid
from unweave.figures.overlay import overlay
from unweave.figures.save import save_picture
from unweave.method import Generative, Sampling, evaluating
from unweave.models.diffusion.sampling import check_sampling
from unweave.runs.codes import encode_images
from unweave.runs.images import ImageNames, random_rows, read_images
from unweave.runs.run import Run
from unweave.runs.units import Chosen, named, numbers, titles

TIMES = (20, 100, 250, 400, 550, 700, 850, 980)


def attention_maps(
    run: Run | str | Path,
    images: ImageNames | None = None,
    *,
    seed: int | None = 0,
    sampling: Sampling = SAMPLING,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """Where each unit's token is attended to in the first image; [unit, height, width]. For methods with maps."""
    run, method = opened(run), opened(run).method()
    target = place_for(run, "attention", output, overwrite)
    draw = extra(run, "attention", "attention maps")
    given = read_images(run, images if images is not None else random_rows(run, 1))
    with evaluating(method):
        coarse = draw(method, given.images, make_start(method, given.images, sampling=sampling, seed=seed), sampling)
    maps = torch.nn.functional.interpolate(coarse, size=given.images.shape[2:], mode="bilinear")
    picture = overlay(
        maps[0],
        given.images[0],
        units=titles(range(len(maps[0])), named(run)),
        title=f"Attention to each unit, {given.labels[0]}",
        quantity="share of attention",
    )
    return Edit(maps[0], picture, [save_picture(picture, target, overwrite=overwrite)])


def field_maps(
    run: Run | str | Path,
    images: ImageNames | None = None,
    units: Chosen | None = None,
    times: Sequence[int] = TIMES,
    *,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
) -> Edit:
    """How strongly each unit's gradient field acts, where and when: [image, unit, time, rows, columns].

    The size of what it adds to the noise prediction (mean over channels) for images noised to these times, from
    0 (clean) to 999 (noise). The figure is of the first image. For methods with a field for every unit. Raises
    ValueError for a method without, and for times outside 0 .. 999.
    """
    run, method = opened(run), opened(run).method()
    target = place_for(run, "fields", output, overwrite)
    draw = extra(run, "fields", "gradient fields")
    given = read_images(run, images if images is not None else random_rows(run, 1))
    names = named(run)
    chosen = numbers(method, given.images, units, names)
    with evaluating(method):
        maps = draw(method, given.images, list(times), seed)[:, chosen]
    high = float(maps[0].max()) or 1.0
    rows = [
        torch.nn.functional.interpolate(row[:, None], size=given.images.shape[2:], mode="nearest")[:, 0]
        for row in maps[0]
    ]
    table = grid(
        [colourise(row.cpu().numpy() / high) for row in rows],
        titles(chosen, names),
        [f"t = {time}" for time in times],
        title=f"What each unit adds to the noise prediction, {given.labels[0]}",
    )
    picture = add_colour_bar(table, colourise(np.linspace(0, 1, 256)), high, "mean size")
    return Edit(maps, picture, [save_picture(picture, target, overwrite=overwrite)])


def edit_alone(
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
    """Every listed unit's field by itself (DisDiff's partial swap): [image, column, channel, height, width].

    The unit comes from the partner, all other fields are left out, and the rest is the frozen model's own. The last
    column has all listed units at once, of the partner. With `partners` "none" (an empty list) the vectors are the
    image's own. For methods with a field for every unit.
    """
    check_sampling(sampling)
    run, method = opened(run), opened(run).method()
    target = place_for(run, "alone", output, overwrite)
    draw = extra(run, "alone", "single fields")
    own = partners is not None and len(partners) == 0
    first, second = pairs(run, images, None if own else partners, 3)
    given = first.images if own else second.images
    assert isinstance(method, Generative)
    start = make_start(method, first.images, sampling=sampling, seed=seed)
    chosen = numbers(method, first.images, units, named(run))
    plain = reconstruct_images(method, first.images, sampling=sampling, start=start)
    edits = [[unit] for unit in chosen] + ([chosen] if len(chosen) > 1 else [])
    with evaluating(method):
        vectors = encode_images(method, given, 64)
        made = torch.stack([draw(method, vectors, start, sampling, edit) for edit in edits], 1)
    before = [first.images, plain] if own else [first.images, second.images, plain]
    names = ["image", "rebuilt"] if own else ["image", "partner", "rebuilt"]
    each = [f"only {title}" for title in titles(chosen, named(run))]
    columns = [*names, *each, *(["all of them"] if len(chosen) > 1 else [])]
    table = torch.cat([torch.stack(before, 1), made], 1)
    title = f"The fields of single units, {'of the image' if own else 'of the partner'} ({said(seed)})"
    picture = grid(list(table), first.labels, columns, title=title)
    return Edit(made, picture, [save_picture(picture, target, overwrite=overwrite)])


def extra(run: Run, name: str, what: str) -> Callable[..., Tensor]:
    """A function that the run's method lists. Raises ValueError where it does not."""
    listed: dict[str, Callable[..., Tensor]] = registry.module("methods", run.method_name).extras
    if name not in listed:
        raise ValueError(f"{run.method_name} has no {what}; it has: {', '.join(listed) or 'no extras'}.")
    return listed[name]
