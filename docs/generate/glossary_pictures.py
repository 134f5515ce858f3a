"""The small pictures of the glossary: drawn from `rooms`, from the model in the package, and from made-up codes."""

import tempfile
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

import unweave
from unweave.data.sets.rooms import GRID
from unweave.figures.grid import grid
from unweave.figures.matrix import plot_matrix
from unweave.figures.save import save_picture
from unweave.models.diffusion import noising
from unweave.tensors import to_images

ROW = 250_000
SEED = 0


def write(out: Path) -> None:
    """Every picture that docs/glossary.md shows."""
    pictures = {**of_data(), **of_model(), **of_codes(), "noise": noise()}
    for name, picture in pictures.items():
        save_picture(picture, out / f"{name}.png", overwrite=True)


def of_data() -> dict[str, Image.Image]:
    """Factors and states: rows of `rooms` that differ in one factor."""
    rooms = unweave.open_data("rooms", {"size": 64})
    hues, sizes, shapes = (rooms.images(one_factor(name)) for name in ("wall_hue", "scale", "shape"))
    return {
        "factor": grid([hues[::2], sizes[::2][:5]], ["wall hue", "size"], scale=1),
        "states": grid([shapes], ["shape"], scale=1),
    }


def one_factor(name: str) -> np.ndarray:
    """The rows that differ from `ROW` in this factor alone, in its order."""
    classes = np.array(np.unravel_index(ROW, GRID.sizes))
    number = GRID.names.index(name)
    table = np.tile(classes, (GRID.sizes[number], 1))
    table[:, number] = np.arange(GRID.sizes[number])
    return np.ravel_multi_index(tuple(table.T), GRID.sizes)


def of_model() -> dict[str, Image.Image]:
    """Edits of the model in the package."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):  # it is copied to runs/ on first use
        return {
            "unit": unweave.traverse("builtin:rooms", ROW, units=8, steps=5).figure(),
            "swap": unweave.swap("builtin:rooms", ROW, 77_777, units="14,8").figure(),
            "reconstruction": unweave.reconstruct("builtin:rooms", [ROW, 0]).figure(),
            "heatmap": unweave.heatmap("builtin:rooms", ROW, 77_777).figure(),
        }


def of_codes() -> dict[str, Image.Image]:
    """Scores of a code whose units are the factors, and of the same code turned."""
    rng = np.random.default_rng(SEED)
    factors = rng.integers(0, 8, (6_000, 3))
    code = factors + rng.normal(0, 0.3, factors.shape)
    turned = (code - code.mean(0)) @ rotation(0.6)
    names = ["hue", "size", "shape"]
    matrices = {"dci": ("dci-2k@1", "importance", "share of the classifier"), "mig": ("mig@1", "information", "nats")}
    pictures = {}
    for name, (protocol, kind, quantity) in matrices.items():
        drawn = []
        for title, table in (("a unit each", code), ("turned", turned)):
            scores = unweave.evaluate_tables(table, factors, protocols=[protocol], repeats=1)
            score = next(iter(scores["protocols"][protocol].values()))["value"]
            values = np.array(scores["matrices"][protocol][kind])
            drawn.append(
                plot_matrix(
                    values,
                    names,
                    title=f"{title}: {score:.2f}",
                    quantity=quantity,
                    high=1 if kind == "importance" else 2.1,
                )
            )
        pictures[name] = beside(drawn)
    axes = beside([scatter(table[:, :2], factors[:, 0]) for table in (code - code.mean(0), turned)])
    return {**pictures, "axes": axes}


def rotation(angle: float) -> np.ndarray:
    """A turn of all three axes."""
    cos, sin = np.cos(angle), np.sin(angle)
    first = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    second = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return first @ second


def noise() -> Image.Image:
    """A picture at five times of a diffusion."""
    image = to_images(unweave.open_data("rooms", {"size": 64}).images(np.array([ROW])))
    kept = noising.alphas_bar(noising.scheduler_config("cosine", "eps"))
    eps = torch.randn(image.shape, generator=torch.Generator().manual_seed(SEED))
    times = [0, 250, 500, 750, 999]
    noised = [(kept[t].sqrt() * image + (1 - kept[t]).sqrt() * eps).clamp(-1, 1) for t in times]
    return grid([torch.cat(noised)], None, [f"t = {t}" for t in times], scale=1)


def scatter(points: np.ndarray, classes: np.ndarray, side: int = 220) -> Image.Image:
    """Two units of a code as points, coloured by the class of a factor; the axes are the units."""
    canvas = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(canvas)
    draw.line((0, side / 2, side, side / 2), fill=(150, 150, 150))
    draw.line((side / 2, 0, side / 2, side), fill=(150, 150, 150))
    places = side / 2 + points[:1_500] / np.abs(points).max() * side / 2.1
    for (x, y), share in zip(places, classes[:1_500] / classes.max()):
        colour = (int(40 + 200 * share), 90, int(240 - 200 * share))
        draw.ellipse((x - 2, side - y - 2, x + 2, side - y + 2), fill=colour)
    return canvas


def beside(pictures: Sequence[Image.Image], gap: int = 24) -> Image.Image:
    """Pictures side by side on white."""
    canvas = Image.new(
        "RGB", (sum(p.width for p in pictures) + gap * (len(pictures) - 1), max(p.height for p in pictures)), "white"
    )
    x = 0
    for picture in pictures:
        canvas.paste(picture, (x, 0))
        x += picture.width + gap
    return canvas
