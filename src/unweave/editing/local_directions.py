"""The verb of directions that nobody trained (LOCO Edit): a part of a picture changes, and the rest stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.data.reading.image_files import decode_image
from unweave.devices import best_device
from unweave.editing.edit import Edit, grid_edit
from unweave.editing.jacobian import Directions, local_directions_at, push
from unweave.models.diffusion.noising import STEPS
from unweave.models.diffusion.picture_denoiser import PictureDenoiser
from unweave.runs.denoisers import OpenDenoiser, open_denoiser
from unweave.runs.images import ImageName, read_file, read_images
from unweave.runs.run import Run
from unweave.tensors import Images

Mask = Sequence[int] | str | Path | None
"""Left, top, right, bottom in pixels of the run's images; or a picture file, whose bright part it is; None is all."""

TIME = 600
"""The time of x_t for a network that is asked from 0 on: "middle noise", as in the paper (0.5 to 0.7 of T)."""


@dataclass(frozen=True)
class DirectionSettings:
    """How directions are found and gone along."""

    count: int = 3
    null_rank: int = 20  # directions of the outside that are kept still; 0: none, the outside changes as it will
    time: int | None = None  # of x_t, 1 .. 999; TIME if None, or half-way from the network's first time to noise
    change: float = 0.1  # root mean square of the pixels inside, in [0, 1], that the linear prediction is to reach
    iterations: int = 10
    steps: int = 20  # of DDIM, to x_t and back
    seed: int = 0


@dataclass(frozen=True, eq=False)
class DirectionFacts:
    """What was found at the picture, and what it did there."""

    directions: Directions  # of x_t
    time: int
    inside: Float[np.ndarray, "direction side"]  # root mean square change of pixels in [0, 1], to both sides
    outside: Float[np.ndarray, "direction side"]

    def to_json(self) -> dict[str, Any]:
        return {
            "time": self.time,
            "gains": self.directions.gains.tolist(),
            "changes_inside": self.inside.tolist(),
            "changes_outside": self.outside.tolist(),
        }


def local_directions(
    model: Run | str | Path,
    image: ImageName | None = None,
    mask: Mask = None,
    settings: DirectionSettings | None = None,
) -> tuple[Edit, DirectionFacts]:
    """The picture moved along each direction, both ways: images [direction, side, channel, height, width].

    `model` is a run whose method has a diffusion model or stands on one, or a denoiser of diffusers (a folder, or
    owner/name). The picture is taken to x_t by inverted DDIM; an unconditional network draws one where none is named.
    x_t moves by lambda v, with lambda such that J v has the asked change, and DDIM draws the picture from there. What a
    method's units hold stays: only what x_t says can change. Raises ValueError for a mask that holds nothing, a time
    that the network does not know, and a picture that is missing where units are needed; and as `open_denoiser` does.
    """
    settings = settings or DirectionSettings()
    opened = open_denoiser(model)
    picture = read_picture_of(opened, image)
    denoiser = opened.of_picture(picture)
    time = choose_time(settings.time, denoiser.first)
    inside = read_mask(mask, opened.shape[1:]).to(best_device())
    with torch.no_grad():
        if picture is None:
            x_t = denoiser.random(torch.Generator().manual_seed(settings.seed), time, settings.steps)
        else:
            x_t = denoiser.noised(picture, time, settings.steps)
        rebuilt = denoiser.drawn(x_t, time, settings.steps)
    directions = local_directions_at(
        lambda x: denoiser.picture(x, time), x_t, inside, settings.count, settings.null_rank,
        iterations=settings.iterations, seed=settings.seed,
    )  # fmt: skip
    moved = move(denoiser, x_t, time, directions, inside, settings)
    changes = ((moved - rebuilt) / 2).square().mean(2)  # (direction, side, height, width)
    facts = DirectionFacts(directions, time, mean_root(changes, inside), mean_root(changes, 1 - inside))
    return draw(opened, picture, rebuilt, moved, inside, facts), facts


def read_picture_of(opened: OpenDenoiser, image: ImageName | None) -> Images | None:
    """The one picture, at the model's size."""
    if image is None:
        if opened.takes_units:
            raise ValueError(
                f"{opened.name} draws pictures from units: name one whose they are, a row or a picture file."
            )
        return None
    if opened.run is not None:
        return read_images(opened.run, image).images
    if not Path(str(image)).is_file():
        raise ValueError(f"there is no picture file {str(image)!r}; a checkpoint that is no run has no rows.")
    return read_file(Path(str(image)), opened.shape, opened.reading)


def choose_time(wanted: int | None, first: int) -> int:
    """The time of x_t. Raises ValueError outside those that the network knows."""
    if wanted is None:
        return TIME if first < TIME else (first + STEPS - 1) // 2
    if not first < wanted < STEPS:
        raise ValueError(f"the time of x_t must be in {first + 1}..{STEPS - 1}, got {wanted}.")
    return wanted


def read_mask(mask: Mask, size: tuple[int, int]) -> Float[Tensor, "height width"]:
    """1 inside, 0 outside. Raises ValueError for what is no mask, or holds no pixel."""
    height, width = size
    if mask is None:
        return torch.ones(size)
    if isinstance(mask, str | Path):
        inside = torch.from_numpy(decode_image(Path(mask), size, 1)[..., 0] >= 128).float()
        if not inside.any():
            raise ValueError(f"the mask {mask} is dark everywhere: what is to change must be bright in it.")
        return inside
    left, top, right, bottom = mask
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(
            f"a mask is LEFT,TOP,RIGHT,BOTTOM within {width} x {height} pixels, got {left},{top},{right},{bottom}."
        )
    inside = torch.zeros(size)
    inside[top:bottom, left:right] = 1
    return inside


def move(
    denoiser: PictureDenoiser,
    x_t: Tensor,
    time: int,
    directions: Directions,
    inside: Float[Tensor, "height width"],
    settings: DirectionSettings,
) -> Float[Tensor, "direction side channel height width"]:
    """The pictures drawn from x_t - lambda v and x_t + lambda v."""
    change = push(lambda x: denoiser.picture(x, time), x_t, directions.vectors)
    size = (change * inside).square().sum((1, 2, 3)) / (inside.sum() * change.shape[1])
    length = (2 * settings.change / size.sqrt().clamp(min=1e-12))[:, None, None, None]
    sides = torch.stack([x_t - length * directions.vectors, x_t + length * directions.vectors], 1)
    with torch.no_grad():
        parts = [denoiser.drawn(part, time, settings.steps) for part in sides.flatten(0, 1).split(8)]
    return torch.cat(parts).unflatten(0, (-1, 2))


def mean_root(
    squares: Float[Tensor, "direction side height width"], where: Float[Tensor, "height width"]
) -> Float[np.ndarray, "direction side"]:
    """Root of the mean over the pixels of a mask; 0 where it has none."""
    mean = (squares * where).sum((2, 3)) / where.sum().clamp(min=1)
    return mean.sqrt().cpu().numpy()


def draw(
    opened: OpenDenoiser,
    picture: Images | None,
    rebuilt: Images,
    moved: Float[Tensor, "direction side channel height width"],
    inside: Float[Tensor, "height width"],
    facts: DirectionFacts,
) -> Edit:
    """A row for each direction: the picture with what is outside the mask dimmed, rebuilt, and moved both ways."""
    shown = rebuilt if picture is None else picture
    dimmed = torch.where(inside.bool(), shown, 0.25 * shown - 0.75)
    cells = [torch.cat([dimmed, rebuilt, pair]) for pair in moved]
    rows = [f"direction {number + 1}" for number in range(len(moved))]
    columns = ["mask" if not bool(inside.all()) else "image", "rebuilt", "back", "forth"]
    title = f"Directions of x_t at time {facts.time}, change inside {facts.inside.mean():.3f}"
    if not bool(inside.all()):
        title += f", outside {facts.outside.mean():.3f}"
    return grid_edit(moved, cells, rows, columns, title)
