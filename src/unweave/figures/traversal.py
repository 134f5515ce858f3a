"""Traversals as a film (GIF), and what their steps are called."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from unweave.figures.grid import tiles
from unweave.figures.ticks import Number
from unweave.files import write_atomically

TraversalFrames = Float[Tensor, "unit step channel height width"]
"""One image, in [-1, 1], for every unit and step."""


def cycle(frames: TraversalFrames, closed: Sequence[bool]) -> Float[Tensor, "unit frame channel height width"]:
    """The frames of an endless film: an open row goes there and back, a closed one round.

    Where there are both kinds, an open row stays at its ends for a frame more, so that a closed one is twice round when
    it is back.
    """
    there = list(range(frames.shape[1]))
    if all(closed):
        return frames
    if not any(closed):
        return frames[:, [*there, *there[-2:0:-1]]]
    orders = torch.tensor([there * 2 if round_ else [*there, *there[::-1]] for round_ in closed])
    return torch.stack([row[order] for row, order in zip(frames, orders)])


def save_gif(
    frames: TraversalFrames,
    path: Path | str,
    *,
    seconds: Number = 3.0,
    units: Sequence[int | str] | None = None,
    title: str | None = None,
    scale: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an endless film of `seconds`: all units side by side, in the order of the frames (see `cycle`).

    Raises FileExistsError unless `overwrite`.
    """
    labels = _unit_labels(units, len(frames))
    pictures = [tiles(step, labels, title=title, scale=scale) for step in frames.unbind(1)]
    pictures = _share_palette(pictures)
    pause = max(20, round(100 * seconds / len(pictures)) * 10)  # ms; the format counts in hundredths of a second
    content = BytesIO()
    pictures[0].save(content, "GIF", save_all=True, append_images=pictures[1:], duration=pause, loop=0)
    return write_atomically(path, content.getvalue(), overwrite=overwrite)


def _share_palette(pictures: list[Image.Image]) -> list[Image.Image]:
    """The pictures in the same 256 colours, so that nothing flickers."""
    samples = [pictures[index] for index in torch.linspace(0, len(pictures) - 1, 5).long().unique().tolist()]
    stack = Image.new("RGB", (samples[0].width, samples[0].height * len(samples)))
    for index, picture in enumerate(samples):
        stack.paste(picture, (0, index * picture.height))
    palette = stack.quantize(256, dither=Image.Dither.NONE)
    colours = torch.tensor(palette.getpalette()).unflatten(0, (-1, 3))
    colours[(colours >= 248).all(1)] = 255  # the paper is exactly white
    palette.putpalette(colours.flatten().tolist())
    return [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]


def _unit_labels(units: Sequence[int | str] | None, count: int) -> list[str]:
    rows = range(count) if units is None else units
    if len(rows) != count:
        raise ValueError(f"there must be one unit number for every row, got {len(rows)} for {count}.")
    return [f"unit {row}" if isinstance(row, int) else row for row in rows]


def quantile_label(quantile: Number) -> str:
    """What stands above the column of a quantile in [0, 1]."""
    return "min" if quantile == 0 else "max" if quantile == 1 else f"{100 * quantile:.3g} %"
