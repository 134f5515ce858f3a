"""What a person can do with a run in the browser, one image at a time; no word of the interface.

The model is opened once and only read. What belongs to a person is a `Picked`, which every verb takes and none changes,
so people do not disturb each other.
"""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from unweave import registry
from unweave.data import sampling
from unweave.data.dataset import Dataset
from unweave.data.reading.image_files import IMAGE_FORMATS, read_image
from unweave.editing.adjust import adjust_units
from unweave.editing.interpolate import interpolate_units
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_units
from unweave.editing.traverse import traverse_units
from unweave.editing.verbs import SAMPLING, difference
from unweave.figures.overlay import overlay
from unweave.method import Start, evaluating
from unweave.runs.codes import check_generative, code_table
from unweave.runs.run import Run, best_device
from unweave.runs.unit_ranges import ROWS, kept_lines, lines, one_by_one
from unweave.runs.units import chosen, name_unit, named
from unweave.tensors import Images, to_images, to_pixels
from unweave.types import Pixels

MOST = 24
"""Sliders; the units that move or vary most."""

STEPS = 7  # of interpolations
SHARES = tuple(np.linspace(0.02, 0.98, STEPS).tolist())  # quantiles of a traversal
LARGEST = 40_000_000  # pixels of an uploaded image


Picture = UInt8[np.ndarray, "height width channel"]


class Picked(NamedTuple):
    """An image that a person is working on."""

    key: str  # of this preparation, and no other
    name: str  # as the command line takes it
    image: Images
    seed: int | None  # of x_T; None is the inverted one
    start: Start
    plain: Images  # the reconstruction that edits are compared with
    shares: list[float]  # where the image is on every slider, in [0, 1]


class Partner(NamedTuple):
    """An image that units are taken from."""

    name: str
    image: Images


class Explorer:
    """An opened run. Raises TypeError for a method without a decoder, LookupError for a run that is not finished."""

    def __init__(self, run: Run | str | Path) -> None:
        self.run = run if isinstance(run, Run) else Run(run)
        self.method = check_generative(self.run.method())
        self.count = self.run.statistics().quantiles.shape[1]
        self.shape = self.run.shape()
        kept = kept_lines(self.run)
        self.data = None if kept else self._dataset()
        self.choices = chosen(self.method, self.count, list(kept) or self._words(), {})
        self.lines = lines(self.run, self.choices)
        self.lock = Lock()  # the model draws for one person at a time
        self.noisy = self.method.start(1, torch.Generator().manual_seed(0)) is not None
        self.extras = registry.module("methods", self.run.method_name).extras

    def names(self) -> list[str]:
        """What the units are called now."""
        words = [choice.word for choice in self.choices]
        return [choice.name for choice in chosen(self.method, self.count, words, named(self.run))]

    def rename(self, place: int, text: str) -> list[str]:
        """Give a unit a name; returns all of them. Raises ValueError for a name that cannot be one."""
        name_unit(self.run, self.choices[place].word, text, self.method)
        return self.names()

    def _dataset(self) -> Dataset | None:
        """The data of the run, where they are at hand."""
        try:
            return self.run.dataset()
        except (LookupError, ValueError, OSError, ImportError):
            return None

    def data_name(self) -> str:
        """Of the data set; where that is gone, the name that the settings opened it by."""
        return str(self.run.settings.data["name"]) if self.data is None else self.data.name

    def examples(self, count: int = 12) -> list[tuple[int | Path, Picture]]:
        """Random rows of the run's data with their images, to begin with.

        Where the data are gone, those that `space.export` put into the run, if any.
        """
        dataset = self.data
        if dataset is None:
            channels, *size = self.shape
            kept = sorted((self.run.path / "examples").glob("*.png"))
            return [(path, read_image(path, (size[0], size[1]), channels)[0]) for path in kept]
        rows = sampling.rows_for(len(dataset), count, seed=0)
        return list(zip(rows.tolist(), dataset.images(rows)))

    def pick(self, source: int | Path, seed: int | None, shown: str | None = None) -> Picked:
        """An image of the run's data (a row) or an image file, ready to be edited.

        Raises ValueError for a file that is no image, or a row that is not there.
        """
        found = self.partner(source, shown)
        return self.prepared(found.image, seed, found.name)

    def partner(self, source: int | Path, shown: str | None = None) -> Partner:
        """The same, only to take units from: no model is asked."""
        channels, height, width = self.shape
        if isinstance(source, Path):
            _check_size(source)
            try:
                pixels = read_image(source, (height, width), channels)
            except ValueError as error:
                raise ValueError(str(error).replace(str(source), shown or source.name)) from None
        else:
            if self.data is None or not 0 <= source < len(self.data):
                raise ValueError(f"there is no row {source} to look at: upload an image.")
            pixels = self.data.images(np.array([source]))
        name = shown or (_near(source) if isinstance(source, Path) else str(source))
        return Partner(name, to_images(pixels, best_device()))

    def prepared(self, image: Images, seed: int | None, shown: str) -> Picked:
        """An image of the run's size that begins from the x_T of a seed, or from its own where that is None."""
        with self.lock, evaluating(self.method):
            start = make_start(self.method, image, sampling=SAMPLING, seed=seed)
            plain = reconstruct_images(self.method, image, sampling=SAMPLING, start=start)
            own = self.method.encode(image)[0]
        shares = [round(line.share(own[choice.units]), 2) for line, choice in zip(self.lines, self.choices)]
        return Picked(uuid4().hex, shown, image, seed, start, plain, shares)

    def edit(self, picked: Picked, shares: Sequence[float]) -> tuple[Pixels, Pixels, str]:
        """The image with the sliders where they are, its difference to the reconstruction, and the command for it.

        Units whose slider was not moved keep exactly what they were.
        """
        moved = [place for place, share in enumerate(shares) if abs(share - picked.shares[place]) > 5e-3]
        if not moved:
            still = to_pixels(difference(picked.plain, picked.plain))
            return to_pixels(picked.plain), still, self.command("reconstruct", picked)
        edits = [self.choices[place].units for place in moved]
        points = [self.lines[place].point(shares[place]) for place in moved]
        with self.lock:
            made = adjust_units(self.method, picked.image, edits, points, sampling=SAMPLING, start=picked.start)
        words = ",".join(f"{self.choices[place].word}={shares[place]:.2f}" for place in moved)
        return (
            to_pixels(made),
            to_pixels(difference(made, picked.plain)),
            self.command("adjust", picked, ["--to", words]),
        )

    def swap(self, picked: Picked, partner: Partner | Picked, places: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
        """One unit after the other from the partner: its place and the picture, as each is made."""
        for place in places:
            units = self.choices[place].units
            with self.lock:
                made = swap_units(
                    self.method, picked.image, partner.image, units, sampling=SAMPLING, start=picked.start
                )
            yield place, to_pixels(made)

    def traverse(
        self, picked: Picked, places: Sequence[int], shares: Sequence[float] = SHARES
    ) -> Iterator[tuple[int, Pixels]]:
        """One unit after the other at these quantiles: its place and the pictures."""
        for place in places:
            units, points = [self.choices[place].units], [self.lines[place].points(shares)]
            with self.lock:
                frames = traverse_units(self.method, picked.image, units, points, sampling=SAMPLING, start=picked.start)
            yield place, to_pixels(frames[0, :, 0])

    def interpolate(self, picked: Picked, partner: Partner | Picked) -> Pixels:
        """From one image to the other: all units, and the inverted x_T unless `picked` begins from a seed."""
        with self.lock:
            other = (
                make_start(self.method, partner.image, sampling=SAMPLING, seed=None) if picked.seed is None else None
            )
            frames = interpolate_units(
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
        with self.lock, evaluating(self.method):
            coarse: Tensor = self.extras["attention"](self.method, picked.image, picked.start, SAMPLING)
        maps = torch.nn.functional.interpolate(coarse, size=picked.image.shape[2:], mode="bilinear")[0]
        one = maps[self.choices[place].units].mean(0, keepdim=True)
        high = float(maps.max())  # on one scale for all units, as `unweave edit attention`
        names = [self.names()[place]]
        return overlay(one, picked.image[0], units=names, high=high or None, quantity="share of attention")

    def no_attention(self) -> str:
        """Why there are no attention maps; "" where there are."""
        return "" if "attention" in self.extras else f"{self.run.method_name} has no attention maps."

    def gallery(self, place: int, count: int = 12) -> list[tuple[int, Picture]]:
        """Real images along a unit, from its lowest value to its highest: row and picture. None where data are gone."""
        dataset = self.data
        if dataset is None:
            return []
        rows = sampling.rows_for(len(dataset), ROWS, 0)
        table, line = code_table(self.run, dataset, rows, 0, "averaged"), self.lines[place]
        values = ((table[:, self.choices[place].units] - line.mean) * line.direction).sum((1, 2))
        order = rows[np.argsort(values, kind="stable")]
        along = order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]
        return list(zip(along.tolist(), dataset.images(along)))

    def command(self, verb: str, picked: Picked, more: Sequence[str] = ()) -> str:
        """The command line that makes this edit again."""
        begins: list[str] = []
        if self.noisy and picked.seed is not None:
            begins = ["--seed", str(picked.seed)]
        elif self.noisy and verb in ("swap", "traverse", "attention"):  # the others do so by themselves
            begins = ["--inverted"]
        return shlex.join(["unweave", "edit", verb, _word(_near(self.run.path)), _word(picked.name), *more, *begins])

    def _words(self) -> list[int | str]:
        """The live units: as the run's report ranks them, where there is one of these weights, else by their range.

        Groups are measured on the data; where those are gone, there are single units.
        """
        words = list(range(self.count)) if self.data is None else one_by_one(self.method, self.count)
        known = set(map(str, words))
        units = (self.run.own_report() or {}).get("units", [])
        live = [unit["word"] for unit in units if unit["state"] == "live" and unit["word"] in known]
        if live:
            return live[:MOST]
        if isinstance(words[0], str):
            return words[:MOST]
        low, high = self.run.statistics().quantiles[[2, 98]]
        order = np.argsort(low - high, kind="stable")
        moving: list[int | str] = [int(at) for at in order if (high - low)[at] >= 0.05 * (high - low).max()]
        return moving[:MOST]


def partners(partner: Partner | Picked) -> str:
    """A partner as --partners takes it."""
    return _word(partner.name).replace(",", "\\,")


def _near(path: Path) -> str:
    """As one types it where the command was started."""
    inside = path.is_absolute() and path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if inside else path)


def _word(name: str) -> str:
    """A file's name that is not taken for an option, and keeps its spaces."""
    return f"./{name}" if name.startswith(("-", " ")) else name


def _check_size(path: Path) -> None:
    """Raises ValueError for more pixels than a person's picture has, before they are decoded."""
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            count = image.width * image.height
    except Exception:
        return  # what cannot be opened is refused by the reader, in better words
    if count > LARGEST:
        raise ValueError(f"the image has {count:,} pixels; at most {LARGEST:,} are taken.")
