"""What a person can do with a run in the browser, one image at a time; no word of the interface.

The model is opened once and only read. What belongs to a person is a `PickedImage`, which every verb takes and none
changes, so people do not disturb each other.
"""

import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from unweave.app.argument_words import argument, place_argument, place_word, relative
from unweave.app.card_html import KINDS, CardKind
from unweave.app.listed_units import current_names, words_to_show
from unweave.app.originals import original_of, original_size
from unweave.app.places import SliderPlace, Taken
from unweave.app.turns import Turns
from unweave.app.uploads import check_upload_size
from unweave.data import sampling
from unweave.data.dataset import Dataset
from unweave.data.reading.image_files import read_image
from unweave.devices import best_device
from unweave.editing.adjust import adjust_units
from unweave.editing.full_size import FullPixels, change_on_original, read_original
from unweave.editing.inputs import SAMPLING
from unweave.editing.interpolate import interpolate_units
from unweave.editing.placing import combine
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_units
from unweave.editing.traverse import traverse_units
from unweave.editing.verbs import difference
from unweave.figures.overlay import overlay
from unweave.method import Sampling, Start, evaluating, find_method
from unweave.runs.codes import check_generative, code_table
from unweave.runs.factors import FACTOR_WORD, current_factors, require_factors
from unweave.runs.images import read_file, read_row
from unweave.runs.ledger import UnconfirmedError
from unweave.runs.naming import name_unit
from unweave.runs.run import Run
from unweave.runs.unit_ranges import MEASURED_ROWS, CurveRange, read_ranges, unit_ranges
from unweave.runs.units import resolve_groups
from unweave.tensors import Images, to_pixels
from unweave.threads import Threads
from unweave.types import Pixels

logger = logging.getLogger("unweave")

ROUGHLY = Sampling("dpmsolver++", 2)
STEPS = 7  # pictures of an interpolation or a traversal


Picture = UInt8[np.ndarray, "height width channel"]


class PickedImage(NamedTuple):
    """An image that a person is working on."""

    key: str  # of this preparation, and no other
    name: str  # as the command line takes it
    source: int | Path | None  # a row, a file; None where it is neither
    image: Images
    seed: int | None  # of x_T; None is the inverted one
    start: Start
    reconstruction: Images  # that edits are compared with
    positions: list[float]  # where the image is on every slider, in [0, 1]


class Partner(NamedTuple):
    """An image that units are taken from."""

    name: str
    image: Images


class Explorer:
    """An opened run. Raises TypeError for a method without a decoder, LookupError for a run that is not finished."""

    def __init__(self, run: Run | str | Path) -> None:
        self.run = run if isinstance(run, Run) else Run(run)
        self.method = check_generative(self.run.method(), self.run)
        self.count = self.run.statistics().quantiles.shape[1]
        self.shape = self.run.shape()
        exported = read_ranges(self.run)
        self.dataset = None if exported else self._open_dataset()
        self.found = current_factors(self.run)
        words = list(exported) or words_to_show(self.run, self.method, self.found, has_data=self.dataset is not None)
        self.units = resolve_groups(self.method.unit_groups, self.count, words, {}, self.found)
        self.ranges = unit_ranges(self.run, self.units)
        self.turns, self.threads = Turns(), Threads(every=60.0, work=self._draw_roughly)
        self.has_start = self.method.start(1, torch.Generator().manual_seed(0)) is not None
        self.extras = find_method(self.run.method_name).extra_verbs

    @contextmanager
    def _drawing(self, patient: bool = False) -> Iterator[None]:
        """The model draws for one person at a time, with as many threads as are fast just now."""
        with self.turns.turn(patient):
            self.threads.choose()
            yield

    def _draw_roughly(self) -> None:
        """A small edit, by which threads are chosen: in a thread of a server two are often slower than one."""
        image = torch.zeros(1, *self.shape, device=best_device())
        start = self.method.start(1, torch.Generator().manual_seed(0))
        reconstruct_images(self.method, image, sampling=ROUGHLY, start=start)

    def names(self) -> list[str]:
        """What the factors and units are called now."""
        return current_names(self.run, self.method, self.count, self.units)

    def slider_labels(self) -> list[str]:
        """The names, with a sign beside those of closed factors, whose slider has one place at both ends."""
        return [f"{name} ↻" if line.closed else name for name, line in zip(self.names(), self.ranges)]

    def rename(self, index: int, name: str) -> list[str]:
        """Give a factor or unit a name; returns all of them.

        Raises ValueError for a name that cannot be one, and for a factor that was merged or split meanwhile.
        """
        unit = self.units[index]
        found = require_factors(self.run) if index < self.factor_count else None
        if found is not None and found.factors[found.index(unit.word)].units != tuple(unit.units):
            raise ValueError("the factors have been changed since: open the explorer again.")
        name_unit(self.run, unit.word, name, self.method)
        return self.names()

    @property
    def factor_count(self) -> int:
        """How many of the units are factors; they come first."""
        return sum(FACTOR_WORD.fullmatch(unit.word) is not None for unit in self.units)

    def kind(self, index: int) -> CardKind:
        """What is known of whether one of the units is one thing."""
        if self.found is None or index >= self.factor_count:
            return "unit"
        return KINDS[self.found.factors[self.found.index(self.units[index].word)].verdict]

    def pixels(self, images: Images) -> Pixels:
        """Images as pixels."""
        return to_pixels(images)

    def moved(self, picked: PickedImage, positions: Sequence[SliderPlace]) -> list[int]:
        """The units that are not as the image has them."""
        return [
            index
            for index, place in enumerate(positions)
            if isinstance(place, Taken) or abs(place - picked.positions[index]) > 5e-3
        ]

    def python_lines(self, picked: PickedImage, positions: Sequence[SliderPlace]) -> str:
        """What makes an edit again in Python."""
        to = {self.units[index].word: place_argument(positions[index]) for index in self.moved(picked, positions)}
        verb, places = ("adjust", f", {to!r}") if to else ("reconstruct", "")
        seed = f", seed={picked.seed}" if self.has_start and picked.seed is not None else ""
        run = relative(self.run.path)
        return (
            f"import unweave\n\nedit = unweave.{verb}({run!r}, [{picked.name!r}]{places}{seed})\nedit.save('edit.png')"
        )

    def steps(self, index: int, count: int = STEPS) -> list[float]:
        """The quantiles at which a unit is shown from low to high; of a closed factor once round."""
        return self.ranges[index].steps(count)

    def _open_dataset(self) -> Dataset | None:
        """The data of the run, where they are at hand."""
        try:
            return self.run.dataset()
        except UnconfirmedError as error:
            logger.warning("the page has no images of the data: %s", error)
        except (LookupError, ValueError, OSError, ImportError):
            pass
        return None

    def dataset_name(self) -> str:
        """Of the data set; where that is gone, the name that the settings opened it by."""
        return self.run.settings.data.name if self.dataset is None else self.dataset.name

    def examples(self, count: int = 12) -> list[tuple[int | Path, Picture]]:
        """Random rows of the run's data with their images, to begin with.

        Where the data are gone, those that `export_folder` put into the run, if any.
        """
        if self.dataset is None:
            channels, *size = self.shape
            files = sorted((self.run.path / "examples").glob("*.png"))
            return [(path, read_image(path, (size[0], size[1]), channels)[0]) for path in files]
        rows = sampling.sample_rows(len(self.dataset), count, seed=0)
        return list(zip(rows.tolist(), self.dataset.images(rows)))

    def pick(self, source: int | Path, seed: int | None, file_name: str | None = None) -> PickedImage:
        """An image of the run's data (a row) or an image file, ready to be edited.

        `file_name` is what the person's own file is called. Raises ValueError for a file that is no image, or a row
        that is not there.
        """
        partner = self.partner(source, file_name)
        return self.prepare(partner.image, seed, partner.name, source)

    def partner(self, source: int | Path, file_name: str | None = None) -> Partner:
        """The same, only to take units from: no model is asked."""
        if isinstance(source, Path):
            check_upload_size(source)
            try:
                image = read_file(source, self.shape, self.run.reading())
            except ValueError as error:
                raise ValueError(str(error).replace(str(source), file_name or source.name)) from None
            return Partner(file_name or relative(source), image)
        if self.dataset is None or not 0 <= source < len(self.dataset):
            raise ValueError(f"there is no row {source} to look at: upload an image.")
        return Partner(file_name or str(source), read_row(self.dataset, source))

    @cached_property
    def data_digest(self) -> str:
        """Of the data; "" where they are gone."""
        return "" if self.dataset is None else self.dataset.digest()

    def has_data_of(self, other: "Explorer") -> bool:
        """Whether the rows of both runs are the same pictures, at whatever size."""
        if self.dataset is None or other.dataset is None or len(self.dataset) != len(other.dataset):
            return False
        one, two = ({**dict(explorer.run.settings.data), "size": None} for explorer in (self, other))
        return one == two or self.data_digest == other.data_digest

    def pick_like(self, other: "Explorer", source: int | Path, file_name: str | None = None) -> PickedImage:
        """The same picture as `other.pick(source, None, file_name)`, at this run's size, begun from its own x_T.

        A row is this run's own where its data are the same, else the pixels of the other's. Raises as `pick` does.
        """
        if isinstance(source, Path) or self.has_data_of(other):
            return self.pick(source, None, file_name)
        image, (channels, height, width) = other.partner(source).image, self.shape
        if image.shape[1] != channels:
            raise ValueError(f"the two runs see pictures of {image.shape[1]} and {channels} channels.")
        fitted = torch.nn.functional.interpolate(image, size=(height, width), mode="bilinear", antialias=True)
        return self.prepare(fitted, None, file_name or str(source))

    def prepare(self, image: Images, seed: int | None, name: str, source: int | Path | None = None) -> PickedImage:
        """An image of the run's size that begins from the x_T of a seed, or from its own where that is None.

        `source` is the row or the file that it is of, if any.
        """
        with self._drawing(), evaluating(self.method):
            start = make_start(self.method, image, sampling=SAMPLING, seed=seed)
            reconstruction = reconstruct_images(self.method, image, sampling=SAMPLING, start=start)
            positions = self._positions(image)
        return PickedImage(uuid4().hex, name, source, image, seed, start, reconstruction, positions)

    def positions_of(self, image: Images) -> list[float]:
        """Where an image is on every slider, in [0, 1]."""
        with self._drawing(), evaluating(self.method):
            return self._positions(image)

    def _positions(self, image: Images) -> list[float]:
        code = self.method.encode(image)[0]
        return [round(line.quantile_of(code[unit.units]), 2) for line, unit in zip(self.ranges, self.units)]

    def edit(self, picked: PickedImage, positions: Sequence[SliderPlace]) -> tuple[Pixels, Pixels, str]:
        """The image with the sliders where they are, its difference to the reconstruction, and the command for it.

        Units whose slider was not moved keep exactly what they were.
        """
        edited, command = self._edited(picked, positions), self.edit_command(picked, positions)
        return to_pixels(edited), to_pixels(difference(edited, picked.reconstruction)), command

    def edit_command(self, picked: PickedImage, positions: Sequence[SliderPlace]) -> str:
        """The command line that makes the edit again."""
        moved = self.moved(picked, positions)
        to = ",".join(f"{self.units[index].word}={place_word(positions[index])}" for index in moved)
        return self.command("adjust", picked, ["--to", to]) if moved else self.command("reconstruct", picked)

    def _edited(self, picked: PickedImage, positions: Sequence[SliderPlace]) -> Images:
        moved = self.moved(picked, positions)
        if not moved:
            return picked.reconstruction
        placed = [(self.units[index], self._code_at(index, positions[index])) for index in moved]
        units, code = combine(placed)
        with self._drawing():
            return adjust_units(self.method, picked.image, [units], [code], sampling=SAMPLING, start=picked.start)

    def _code_at(self, index: int, place: SliderPlace) -> Tensor:
        return place.code if isinstance(place, Taken) else self.ranges[index].code_at(place)

    def take(self, index: int, partner: Partner) -> SliderPlace:
        """Where a unit is once it comes from another picture: as `like:` of the command line places it."""
        with self._drawing(), evaluating(self.method):
            code = self.method.encode(partner.image)[0, self.units[index].units].cpu()
        at = self.ranges[index].quantile_of(code)
        return at if isinstance(self.ranges[index], CurveRange) or code.numel() == 1 else Taken(at, partner.name, code)

    def full_size_of(self, picked: PickedImage) -> tuple[int, int] | None:
        """Height and width of the picture that an image was read from, where it is at hand and larger."""
        size = original_size(original_of(self.run.settings.data, self.dataset, picked.source))
        return size if size is not None and max(size) > max(self.shape[1:]) else None

    def at_full_size(self, picked: PickedImage, positions: Sequence[SliderPlace]) -> tuple[FullPixels, FullPixels]:
        """The picture that an image was read from, and the edit's change on it. Raises ValueError where it is gone."""
        content = original_of(self.run.settings.data, self.dataset, picked.source)
        if content is None:
            raise ValueError(f"{picked.name} is not at hand at its own size: bring the picture again.")
        original = read_original(self.run, content)
        edited = self._edited(picked, positions)
        return original, change_on_original(self.run, original, picked.reconstruction[0], edited[0])

    def swap(
        self, picked: PickedImage, partner: Partner | PickedImage, indices: Sequence[int]
    ) -> Iterator[tuple[int, Pixels]]:
        """One unit after the other from the partner: its index and the picture, as each is made.

        Raises what `check_indices` raises.
        """
        self.check_indices(indices)
        for index in indices:
            units = self.units[index].units
            with self._drawing():
                edited = swap_units(
                    self.method, picked.image, partner.image, units, sampling=SAMPLING, start=picked.start
                )
            yield index, to_pixels(edited)

    def swap_all(self, picked: PickedImage, partner: Partner | PickedImage, units: Sequence[int]) -> Pixels:
        """The picture with all these units from the partner."""
        with self._drawing():
            return to_pixels(
                swap_units(self.method, picked.image, partner.image, units, sampling=SAMPLING, start=picked.start)
            )

    def exchange(self, picked: PickedImage, partner: Partner, indices: Sequence[int]) -> tuple[Picture, Picture]:
        """Both pictures, each with these units from the other. Raises what `check_indices` raises."""
        self.check_indices(indices)
        units = list(dict.fromkeys(unit for index in indices for unit in self.units[index].units))
        other = self.prepare(partner.image, picked.seed, partner.name)
        return self.swap_all(picked, other, units)[0], self.swap_all(other, picked, units)[0]

    def check_indices(self, indices: Sequence[int]) -> None:
        """Raises ValueError for a unit that is not there, and for one that is asked for twice."""
        count = len(self.units)
        if len(set(indices)) < len(indices) or not all(0 <= index < count for index in indices):
            raise ValueError(f"units are each of 0..{count - 1} at most once, got {len(indices)}: {list(indices)[:8]}.")

    def traverse(self, picked: PickedImage, indices: Sequence[int], count: int = STEPS) -> Iterator[tuple[int, Pixels]]:
        """One unit after the other at its `steps`: its index and the pictures. Raises as `swap` does."""
        self.check_indices(indices)
        for index in indices:
            yield index, self.draw_at(picked, index, self.steps(index, count))

    def draw_at(
        self, picked: PickedImage, index: int, quantiles: Sequence[float], sampling: Sampling = SAMPLING
    ) -> Pixels:
        """The image with a unit at each of these quantiles; edits of others go first."""
        edits, points = [self.units[index].units], [self.ranges[index].codes_at(quantiles)]
        with self._drawing(patient=True):
            frames = traverse_units(self.method, picked.image, edits, points, sampling=sampling, start=picked.start)
        return to_pixels(frames[0, :, 0])

    def states(self, index: int) -> list[tuple[float, float]]:
        """The states of a factor: where each is on the slider, in [0, 1], and its share of the images."""
        word = self.units[index].word
        modes = self.found.factors[self.found.index(word)].states if self.found and index < self.factor_count else ()
        return [(self.ranges[index].share_of(mode.position), mode.share) for mode in modes]

    def interpolate(self, picked: PickedImage, partner: Partner | PickedImage) -> Pixels:
        """From one image to the other: all units, and the inverted x_T unless `picked` begins from a seed."""
        with self._drawing():
            partner_start = (
                make_start(self.method, partner.image, sampling=SAMPLING, seed=None) if picked.seed is None else None
            )
            frames = interpolate_units(
                self.method,
                picked.image,
                partner.image,
                STEPS,
                sampling=SAMPLING,
                start=picked.start,
                partner_start=partner_start,
            )
        return to_pixels(frames[:, 0])

    def attention(self, picked: PickedImage, index: int) -> Image.Image:
        """Where the token of a unit is attended to. Raises ValueError for methods without such maps."""
        if self.why_no_attention():
            raise ValueError(self.why_no_attention())
        with self._drawing(), evaluating(self.method):
            coarse: Tensor = self.extras["attention"](self.method, picked.image, picked.start, SAMPLING)
        maps = torch.nn.functional.interpolate(coarse, size=picked.image.shape[2:], mode="bilinear")[0]
        unit_map = maps[self.units[index].units].mean(0, keepdim=True)
        high = float(maps.max())  # on one scale for all units, as `unweave edit attention`
        names = [self.names()[index]]
        return overlay(unit_map, picked.image[0], units=names, high=high or None, quantity="share of attention")

    def why_no_attention(self) -> str:
        """Why there are no attention maps; "" where there are."""
        return "" if "attention" in self.extras else f"{self.run.method_name} has no attention maps."

    def gallery(self, index: int, count: int = 12) -> list[tuple[int, Picture]]:
        """Real images along a unit, from its lowest value to its highest: row and picture. None where data are gone."""
        if self.dataset is None:
            return []
        rows = sampling.sample_rows(len(self.dataset), MEASURED_ROWS, 0)
        table, line = code_table(self.run, self.dataset, rows, 0, "averaged"), self.ranges[index]
        values = line.levels_of(table[:, self.units[index].units])
        order = rows[np.argsort(values, kind="stable")]
        along = order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]
        return list(zip(along.tolist(), self.dataset.images(along)))

    def command(self, verb: str, picked: PickedImage, options: Sequence[str] = ()) -> str:
        """The command line that makes this edit again."""
        start: list[str] = []
        if self.has_start and picked.seed is not None:
            start = ["--seed", str(picked.seed)]
        elif self.has_start and verb in ("swap", "traverse", "attention"):  # the others do so by themselves
            start = ["--inverted"]
        run, image = argument(relative(self.run.path)), argument(picked.name)
        return shlex.join(["unweave", "edit", verb, run, image, *options, *start])
