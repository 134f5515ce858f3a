"""The verb of directions that nobody trained (LOCO Edit): a part of a picture changes, and the rest stays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.data.reading.image_files import decode_image
from unweave.editing.edit import Edit, grid_edit
from unweave.editing.jacobian import Directions, local_directions_at, push
from unweave.method import Generative, Sampling, evaluating
from unweave.models.diffusion.noising import STEPS
from unweave.runs.denoisers import OpenDenoiser, is_run, open_denoiser
from unweave.runs.images import ImageName, read_file, read_images
from unweave.runs.run import Run
from unweave.tensors import Images

Mask = Sequence[int] | str | Path | None
"""Left, top, right, bottom in pixels of the run's images; or a picture file, whose bright part it is; None is all."""

TIME = 600
"""The time of x_t for a network that is asked from 0 on: "middle noise", as in the paper (0.5 to 0.7 of T)."""
FEW_STEPS = Sampling("dpmsolver++", 3)
"""With which pictures of codes are drawn where their derivative is taken."""
REACH = {"codes": 3.0, "x_t": 0.5}
"""How far one moves at most, since further out nothing is linear: deviations of codes; parts of the length of noise."""


@dataclass(frozen=True)
class DirectionSettings:
    """How directions are found and gone along."""

    of: Literal["x_t", "codes"] | None = None  # what moves; None: the codes of a method that decodes them, else x_t
    count: int = 3
    null_rank: int | None = None  # directions of the outside that are kept still; None: the strong ones, 0: none
    time: int | None = None  # of x_t, 1 .. 999; TIME if None, or half-way from the network's first time to noise
    change: float = 0.1  # root mean square of the pixels inside, in [0, 1], by the linear prediction, within REACH
    iterations: int = 10
    steps: int = 20  # of the sampler
    seed: int = 0


class MovedPoint(NamedTuple):
    """What is moved, and the pictures that it gives."""

    point: Float[Tensor, "1 _ _ _"]
    predicted: Callable[[Tensor], Images]  # whose derivative is taken
    drawn: Callable[[Tensor], Images]
    shown: Images  # the picture that was named, or the one that is drawn
    what: str
    reach: float


@dataclass(frozen=True, eq=False)
class DirectionFacts:
    """What was found at the picture, and what it did there."""

    directions: Directions  # of x_t, or of codes in deviations of each unit over images
    of: str
    inside: Float[np.ndarray, "direction side"]  # root mean square change of pixels in [0, 1], to both sides
    outside: Float[np.ndarray, "direction side"]

    def to_json(self) -> dict[str, Any]:
        return {
            "of": self.of,
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

    `model` is a run, or a denoiser of diffusers (a folder, or owner/name). x_t is that of the picture by inverted DDIM,
    or, for a network that is not asked at early times, with noise of the seed; an unconditional one draws one where
    none is named. A deviation from LOCO Edit: where units hold the picture, x_t says little, and the codes move, from
    the x_T of the seed. They move by lambda v, with lambda such that J v has the asked change. Raises ValueError for a
    mask that holds nothing, a time that the network does not know, and a picture that is missing; and as
    `open_denoiser` does.
    """
    settings = settings or DirectionSettings()
    run = model if isinstance(model, Run) else Run(model) if is_run(str(model)) else None
    method = None if run is None or settings.of == "x_t" or run.method_name == "denoiser" else run.method()
    if run is not None and isinstance(method, Generative):
        place = codes_of(run, method, image, settings)
    elif settings.of == "codes":
        raise ValueError(f"{model} has no codes that are decoded: its x_t can move.")
    else:
        place = x_t_of(open_denoiser(model if run is None else run), image, settings)
    inside = read_mask(mask, (place.shown.shape[2], place.shown.shape[3])).to(place.point.device)
    directions = local_directions_at(
        place.predicted, place.point, inside, settings.count, settings.null_rank,
        iterations=settings.iterations, seed=settings.seed,
    )  # fmt: skip
    with torch.no_grad():
        rebuilt = place.drawn(place.point)
    moved = move(place, directions, inside, settings.change)
    changes = ((moved - rebuilt) / 2).square().mean(2)  # (direction, side, height, width)
    facts = DirectionFacts(directions, place.what, mean_root(changes, inside), mean_root(changes, 1 - inside))
    return draw(place.shown, rebuilt, moved, inside, facts), facts


def codes_of(run: Run, method: Generative, image: ImageName | None, settings: DirectionSettings) -> MovedPoint:
    """The codes of a picture, from which one moves by deviations of each unit."""
    if image is None:
        raise ValueError(f"{run.path} draws pictures from codes: name one whose they are, a row or a picture file.")
    picture = read_images(run, image).images[:1]
    with evaluating(method):
        encoded = method.encode(picture)
        begin = method.start(1, torch.Generator().manual_seed(settings.seed))
    codes, start = encoded.clone(), begin.clone() if isinstance(begin, Tensor) else begin  # outside inference mode
    quantiles = run.statistics().quantiles
    spread = torch.from_numpy((quantiles[84] - quantiles[16]) / 2).to(codes)[:, None]

    def decode(moves: Tensor, sampling: Sampling) -> Images:
        starts = start.expand(len(moves), *start.shape[1:]) if isinstance(start, Tensor) else start
        return method.decode(codes + spread * moves[:, 0], starts, sampling)

    full = Sampling("dpmsolver++", settings.steps)
    return MovedPoint(
        torch.zeros_like(codes)[None],
        lambda moves: decode(moves, FEW_STEPS),
        lambda moves: decode(moves, full),
        picture,
        "codes",
        REACH["codes"],
    )


def x_t_of(opened: OpenDenoiser, image: ImageName | None, settings: DirectionSettings) -> MovedPoint:
    """The x_t of a picture, or one that is drawn."""
    picture = read_picture_of(opened, image)
    denoiser = opened.of_picture(picture)
    time, rng = choose_time(settings.time, denoiser.first), torch.Generator().manual_seed(settings.seed)
    with torch.no_grad():
        if picture is None:
            x_t = denoiser.random(rng, time, settings.steps)
        else:
            x_t = denoiser.noised(picture, rng, time, settings.steps)
        shown = denoiser.drawn(x_t, time, settings.steps) if picture is None else picture
    return MovedPoint(
        x_t,
        lambda x: denoiser.picture(x, time),
        lambda x: denoiser.drawn(x, time, settings.steps),
        shown,
        f"x_t at time {time}",
        REACH["x_t"] * x_t.numel() ** 0.5,
    )


def read_picture_of(opened: OpenDenoiser, image: ImageName | None) -> Images | None:
    """The one picture, at the model's size."""
    if image is None:
        if opened.takes_units:
            raise ValueError(
                f"{opened.name} draws pictures from units: name one whose they are, a row or a picture file."
            )
        return None
    if opened.run is not None:
        return read_images(opened.run, image).images[:1]
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
    place: MovedPoint, directions: Directions, inside: Float[Tensor, "height width"], change: float
) -> Float[Tensor, "direction side channel height width"]:
    """The pictures drawn from the point less lambda v, and from it with lambda v added."""
    changes = push(place.predicted, place.point, directions.vectors)
    size = (changes * inside).square().sum((1, 2, 3)) / (inside.sum() * changes.shape[1])
    length = (2 * change / size.sqrt().clamp(min=1e-12)).clamp(max=place.reach)
    steps = length[:, None, None, None] * directions.vectors
    sides = torch.stack([place.point - steps, place.point + steps], 1)
    with torch.no_grad():
        parts = [place.drawn(part) for part in sides.flatten(0, 1).split(8)]
    return torch.cat(parts).unflatten(0, (-1, 2))


def mean_root(
    squares: Float[Tensor, "direction side height width"], where: Float[Tensor, "height width"]
) -> Float[np.ndarray, "direction side"]:
    """Root of the mean over the pixels of a mask; 0 where it has none."""
    mean = (squares * where).sum((2, 3)) / where.sum().clamp(min=1)
    return mean.sqrt().cpu().numpy()


def draw(
    shown: Images,
    rebuilt: Images,
    moved: Float[Tensor, "direction side channel height width"],
    inside: Float[Tensor, "height width"],
    facts: DirectionFacts,
) -> Edit:
    """A row for each direction: the picture with what is outside the mask dimmed, rebuilt, and moved both ways."""
    dimmed = torch.where(inside.bool(), shown, 0.25 * shown - 0.75)
    cells = [torch.cat([dimmed, rebuilt, pair]) for pair in moved]
    rows = [f"direction {number + 1}" for number in range(len(moved))]
    columns = ["mask" if not bool(inside.all()) else "image", "rebuilt", "back", "forth"]
    title = f"Directions of {facts.of}, change inside {facts.inside.mean():.3f}"
    if not bool(inside.all()):
        title += f", outside {facts.outside.mean():.3f}"
    return grid_edit(moved, cells, rows, columns, title)
