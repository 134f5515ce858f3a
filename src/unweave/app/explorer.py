"""What a person can do with a run in the browser, one image at a time; no word of the interface.

The model is opened once and only read. What belongs to a person is a `Picked`, which every verb takes and none changes,
so people do not disturb each other.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from unweave import registry
from unweave.choosing import Choice, chosen, name, named
from unweave.data.disk.pixels import read_image, sides
from unweave.dataset import Dataset
from unweave.editing.adjust import adjust
from unweave.editing.begin import begin
from unweave.editing.decoding import check_generative
from unweave.editing.interpolate import interpolate
from unweave.editing.reconstruct import reconstruct
from unweave.editing.swap import swap
from unweave.editing.traverse import traverse_each
from unweave.edits import SAMPLING, difference
from unweave.evaluation import cache
from unweave.figures.heatmap import overlay
from unweave.method import Start, evaluating
from unweave.run import Run, best_device
from unweave.shapes import Images, to_images, to_pixels
from unweave.tables import Pixels
from unweave.unit_values import ROWS, Line, codes, lines, measure, one_by_one

MOST = 24
"""Sliders; the units that move or vary most."""

STEPS = 7  # of traversals and interpolations
LARGEST = 40_000_000  # pixels of an uploaded image


Picture = UInt8[np.ndarray, "height width channel"]


class Picked(NamedTuple):
    """An image that a person is working on."""

    name: str  # as the command line takes it
    image: Images
    seed: int | None  # of x_T; None is the inverted one
    start: Start
    plain: Images  # the reconstruction that edits are compared with
    shares: list[float]  # where the image is on every slider, in [0, 1]


class Explorer:
    """An opened run. Raises TypeError for a method without a decoder, LookupError for a run that is not finished."""

    def __init__(self, run: Run | str | Path) -> None:
        self.run = run if isinstance(run, Run) else Run(run)
        self.method = check_generative(self.run.method())
        self.count = self.run.statistics().quantiles.shape[1]
        self.shape = self.run.shape()
        self.choices = self._chosen()
        self.lines: list[Line] = lines(self.run, self.choices)
        self.extras = registry.module("methods", self.run.method_name).extras

    def names(self) -> list[str]:
        """What the units are called now."""
        words = [choice.word for choice in self.choices]
        return [choice.name for choice in chosen(self.method, self.count, words, named(self.run))]

    def rename(self, place: int, text: str) -> list[str]:
        """Give a unit a name; returns all of them. Raises ValueError for a name that cannot be one."""
        name(self.run, self.choices[place].word, text)
        return self.names()

    def dataset(self) -> Dataset | None:
        """The data of the run, where they are at hand."""
        try:
            return self.run.dataset()
        except (LookupError, ValueError, OSError):
            return None

    def examples(self, count: int = 12) -> list[tuple[int | Path, Picture]]:
        """Random rows of the run's data with their images, to begin with.

        Where the data are gone, those that `space.export` put into the run, if any.
        """
        dataset = self.dataset()
        if dataset is None:
            channels, *size = self.shape
            kept = sorted((self.run.path / "examples").glob("*.png"))
            return [(path, read_image(path, (size[0], size[1]), channels)[0]) for path in kept]
        rows = cache.rows_for(len(dataset), count, seed=0)
        return list(zip(rows.tolist(), dataset.images(rows)))

    def pick(self, source: int | Path, seed: int | None, shown: str | None = None) -> Picked:
        """An image of the run's data (a row) or an image file, ready to be edited.

        Raises ValueError for a file that is no image, or a row that is not there.
        """
        channels, height, width = self.shape
        if isinstance(source, Path):
            _check_size(source)
            try:
                pixels = read_image(source, (height, width), channels)
            except ValueError as error:
                raise ValueError(str(error).replace(str(source), shown or source.name)) from None
        else:
            dataset = self.dataset()
            if dataset is None or not 0 <= source < len(dataset):
                raise ValueError(f"there is no row {source} to look at: upload an image.")
            pixels = dataset.images(np.array([source]))
        return self.prepared(to_images(pixels, best_device()), seed, shown or str(source))

    def prepared(self, image: Images, seed: int | None, shown: str) -> Picked:
        start = begin(self.method, image, sampling=SAMPLING, seed=seed)
        plain = reconstruct(self.method, image, sampling=SAMPLING, start=start)
        with evaluating(self.method):
            own = self.method.encode(image)[0]
        shares = [round(line.share(own[choice.units]), 2) for line, choice in zip(self.lines, self.choices)]
        return Picked(shown, image, seed, start, plain, shares)

    def edit(self, picked: Picked, shares: Sequence[float]) -> tuple[Pixels, Pixels, str]:
        """The image with the sliders where they are, its difference to the reconstruction, and the command for it.

        Units whose slider was not moved keep exactly what they were.
        """
        moved = [place for place, share in enumerate(shares) if abs(share - picked.shares[place]) > 5e-3]
        if not moved:
            still = to_pixels(difference(picked.plain, picked.plain))
            return to_pixels(picked.plain), still, self.command("reconstruct", picked)
        made = adjust(
            self.method,
            picked.image,
            [self.choices[place].units for place in moved],
            [self.lines[place].point(shares[place]) for place in moved],
            sampling=SAMPLING,
            start=picked.start,
        )
        words = ",".join(f"{self.choices[place].word}={shares[place]:.2f}" for place in moved)
        return (
            to_pixels(made),
            to_pixels(difference(made, picked.plain)),
            self.command("adjust", picked, ["--to", words]),
        )

    def swap(self, picked: Picked, partner: Picked, places: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
        """One unit after the other from the partner: its place and the picture, as each is made."""
        for place in places:
            units = self.choices[place].units
            made = swap(self.method, picked.image, partner.image, units, sampling=SAMPLING, start=picked.start)
            yield place, to_pixels(made)

    def traverse(self, picked: Picked, places: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
        """One unit after the other from its 2 % to its 98 % quantile: its place and the steps."""
        for place in places:
            points = torch.stack([self.lines[place].point(share) for share in np.linspace(0.02, 0.98, STEPS)])
            frames = traverse_each(
                self.method,
                picked.image,
                [self.choices[place].units],
                [points],
                sampling=SAMPLING,
                start=picked.start,
            )
            yield place, to_pixels(frames[0, :, 0])

    def interpolate(self, picked: Picked, partner: Picked) -> Pixels:
        """From one image to the other, all units and the inverted x_T where both have one."""
        other = partner.start if picked.seed is None and partner.seed is None else None
        frames = interpolate(
            self.method,
            picked.image,
            partner.image,
            STEPS,
            sampling=SAMPLING,
            start=picked.start,
            partner_start=other,
        )
        return to_pixels(frames[:, 0])

    def attention(self, picked: Picked, place: int) -> Image.Image:
        """Where the token of a unit is attended to. Raises ValueError for methods without such maps."""
        if self.no_attention():
            raise ValueError(self.no_attention())
        with evaluating(self.method):
            coarse: Tensor = self.extras["attention"](self.method, picked.image, picked.start, SAMPLING)
        maps = torch.nn.functional.interpolate(coarse, size=picked.image.shape[2:], mode="bilinear")[0]
        one = maps[self.choices[place].units].mean(0, keepdim=True)
        name, high = self.names()[place], float(maps.max())  # on one scale for all units, as `unweave edit attention`
        return overlay(one, picked.image[0], units=[name], high=high or None, quantity="share of attention")

    def no_attention(self) -> str:
        """Why there are no attention maps; "" where there are."""
        return "" if "attention" in self.extras else f"{self.run.method_name} has no attention maps."

    def gallery(self, place: int, count: int = 12) -> list[tuple[int, Picture]]:
        """Real images along a unit, from its lowest value to its highest: row and picture. None where data are gone."""
        dataset = self.dataset()
        if dataset is None:
            return []
        rows = cache.rows_for(len(dataset), ROWS, 0)
        values = measure(codes(self.run, dataset, rows, 0, "averaged"), [self.choices[place]]).values[:, 0]
        order = rows[np.argsort(values, kind="stable")]
        along = order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]
        return list(zip(along.tolist(), dataset.images(along)))

    def command(self, verb: str, picked: Picked, more: Sequence[str] = ()) -> str:
        """The command line that makes this picture again."""
        if picked.seed is None:  # what adjust and interpolate do by themselves
            begins = ["--inverted"] if verb in ("swap", "traverse", "attention") else []
        else:
            begins = ["--seed", str(picked.seed)]
        return shlex.join(["unweave", "edit", verb, str(self.run.path), picked.name, *more, *begins])

    def _chosen(self) -> list[Choice]:
        """The live units: as the run's report ranks them, where there is one of these weights, else by their range."""
        words = one_by_one(self.method, self.count)
        report = self.run.path / "report.json"
        found = json.loads(report.read_text()) if report.is_file() else {}
        if found.get("weights") == self.run.digest():
            live = [unit["word"] for unit in found["units"] if unit["state"] == "live"]
            if live and set(live) <= set(map(str, words)):
                return chosen(self.method, self.count, live[:MOST], {})
        if self.method.groups() and len(words) == len(self.method.groups()):
            return chosen(self.method, self.count, words[:MOST], {})
        low, high = self.run.statistics().quantiles[[2, 98]]
        order = np.argsort(low - high, kind="stable")
        moving = [int(place) for place in order if (high - low)[place] > 0.05 * (high - low).max()]
        return chosen(self.method, self.count, moving[:MOST], {})


def _check_size(path: Path) -> None:
    """Raises ValueError for more pixels than a person's picture has, before they are decoded."""
    try:
        height, width = sides(path)
    except Exception:
        return  # what cannot be measured is refused by the reader, in better words
    if height * width > LARGEST:
        raise ValueError(f"the image has {height * width:,} pixels; at most {LARGEST:,} are taken.")
