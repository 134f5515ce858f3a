"""C-S DisMo, without labels, draws a form in a colour that it never saw together: content normalised and scaled by the
style keeps the form, and style the colour; where both are merely concatenated, they mix.

Ren, Yang, Wang, Zeng, "Rethinking Content and Style", ICCV Workshops 2021, arXiv:2102.10544.

27 forms (a disc, a cross or a frame, at nine places) in 24 colours, 16 x 16 pixels; a fifth of the 648 pictures is held
out. Which part is content was written down before training: the form, for it dominates the pixels. For each held-out
cell, content is that of a training picture of its form, style that of one of its colour, by the encoders:

- `transfer error`: mean squared error, pixels in [0, 1], of what the generator makes of them. `mean of the form`, the
  mean training picture of the right form, is the best guess from content alone; `additive oracle` adds the colour's.
- `rebuilding error` of the training pictures, by the encoders' codes
- `form from content`, ...: accuracy of a linear classifier on a fifth of the training pictures (chance 0.04)
"""

import colorsys
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.demos._fit import fit
from unweave.figures.grid import grid
from unweave.method import Sampling, evaluating
from unweave.methods import csdismo
from unweave.methods.csdismo import CSDisMo, CSDisMoSettings
from unweave.models.foundation import Foundation
from unweave.tensors import Images

SIDE = 16
IMAGES, SMALL_IMAGES = 160_000, 112_000  # seen in a training, counted with repeats
PAIRS = 4  # of training pictures for each held-out cell
SHADES = [(1.0, 1.0), (1.0, 0.5), (0.4, 1.0)]  # saturation and value: bright, dark, pale
COLOURS = torch.tensor([colorsys.hsv_to_rgb(hue / 8, *shade) for hue in range(8) for shade in SHADES])
Cells = Int[Tensor, "picture 2"]  # form and colour


def masks() -> Float[Tensor, "form height width"]:
    """The share of each pixel that the form covers."""
    axis = torch.arange(SIDE) + 0.5
    places = torch.cartesian_prod(*[torch.tensor([5.0, 8.0, 11.0])] * 2)
    y, x = (axis - places[:, :1]).abs()[:, :, None], (axis - places[:, 1:]).abs()[:, None]
    disc = 3.5 - (y.square() + x.square()).sqrt()
    cross = torch.maximum(torch.minimum(4.2 - y, 1.2 - x), torch.minimum(4.2 - x, 1.2 - y))
    frame = 1 - (torch.maximum(y, x) - 2.5).abs()
    return (torch.cat([disc, cross, frame]) + 0.5).clamp(0, 1)


MASKS = masks()


def pictures(cells: Cells) -> Images:
    """In [-1, 1], the background -1."""
    return 2 * MASKS[cells[:, 0], None] * COLOURS[cells[:, 1], :, None, None] - 1


class Split(NamedTuple):
    seen: Cells
    held_out: Cells


def split(seed: int) -> Split:
    cells = torch.cartesian_prod(torch.arange(len(MASKS)), torch.arange(len(COLOURS)))
    order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(seed))
    return Split(cells[order[len(cells) // 5 :]], cells[order[: len(cells) // 5]])


def train(module: str, cells: Cells, seed: int, images: int = IMAGES) -> CSDisMo:
    """Train on the pictures of these cells; the encoders take over after 70 % of the budget."""
    torch.manual_seed(seed)
    sizes = {"width": 16, "content": 12, "style": 4, "content_noise": 1.0, "style_noise": 0.5}
    settings = CSDisMoSettings.model_validate({"module": module, "encoders_after": images * 7 // 10, **sizes})
    method = csdismo.build(settings, Foundation((3, SIDE, SIDE), len(cells)))
    fit(method, pictures(cells), images, torch.Generator().manual_seed(seed), decay="cosine", betas=(0.5, 0.999))
    return method


def partners(cells: Split, seed: int) -> tuple[Tensor, Tensor, Cells]:
    """For each held-out cell, rows of training pictures of its form and of its colour, and the cell; `PAIRS` times."""
    rng, targets = np.random.default_rng(seed), cells.held_out.repeat(PAIRS, 1)
    same = [cells.seen[:, part] == targets[:, part, None] for part in (0, 1)]
    of_form, of_colour = (torch.tensor([rng.choice(row.nonzero()[:, 0]) for row in rows]) for rows in same)
    return of_form, of_colour, targets


def transfer(method: CSDisMo, cells: Split, seed: int) -> Images:
    of_form, of_colour, _ = partners(cells, seed)
    with evaluating(method):
        units = method.encode(pictures(cells.seen))
        return method.decode(torch.stack([units[of_form, 0], units[of_colour, 1]], 1), None, Sampling())


def measure(method: CSDisMo, cells: Split, seed: int) -> Measurements:
    seen, targets = pictures(cells.seen), partners(cells, seed)[2]
    truth = pictures(targets)
    same = [cells.seen[:, part] == targets[:, part, None] for part in (0, 1)]
    of_form, of_colour = (torch.stack([seen[row].mean(0) for row in rows]) for rows in same)
    with evaluating(method):
        units = method.encode(seen)
        rebuilt = method.decode(units, None, Sampling())

    def mse(made: Images, target: Images) -> float:
        return ((made - target) / 2).square().mean().item()

    return {
        "transfer error": mse(transfer(method, cells, seed), truth),
        "mean of the form": mse(of_form, truth),
        "additive oracle": mse(of_form + of_colour - seen.mean(0), truth),
        "rebuilding error": mse(rebuilt, seen),
        **{
            f"{factor} from {unit}": accuracy(units[:, j].numpy(), cells.seen[:, i].numpy())
            for i, factor in enumerate(("form", "colour"))
            for j, unit in enumerate(("content", "style"))
        },
    }


def accuracy(codes: np.ndarray, classes: np.ndarray) -> float:
    last = len(codes) * 4 // 5
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=300))
    return float(classifier.fit(codes[:last], classes[:last]).score(codes[last:], classes[last:]))


def run(seed: int, small: bool) -> Outcome:
    cells, images = split(seed), SMALL_IMAGES if small else IMAGES
    module, control = (train(name, cells.seen, seed, images) for name in ("multiple", "concatenation"))
    of_form, of_colour, targets = partners(cells, seed)
    shown = [pictures(part[:8]) for part in (cells.seen[of_form], cells.seen[of_colour], targets)]
    shown += [transfer(method, cells, seed)[:8] for method in (module, control)]
    picture = grid(shown, ["content of", "style of", "held out", "made", "made, concatenation"])
    return Outcome(measure(module, cells, seed), measure(control, cells, seed), picture)


def holds(measured: Measurements, control: Measurements) -> bool:
    below = measured["transfer error"] < min(measured["mean of the form"], 0.75 * control["transfer error"])
    return below and max(one["rebuilding error"] for one in (measured, control)) < measured["mean of the form"] / 2


DEMO = Demonstration(
    paper="Ren, Yang, Wang, Zeng, Rethinking Content and Style, ICCV Workshops 2021",
    control="concatenation: the same without normalisation and affine map, as many images, the same seed",
    run=run,
    holds=holds,
)
