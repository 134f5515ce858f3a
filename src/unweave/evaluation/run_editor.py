"""Edits of rows of a data set, for whoever measures them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unweave.data.dataset import Dataset
from unweave.devices import best_device
from unweave.editing.decoding import decode
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_units
from unweave.editing.traverse import traverse_units
from unweave.method import Generative, Sampling, Start, evaluating
from unweave.runs.codes import encode_images
from unweave.tensors import Images, to_images
from unweave.types import Rows


@dataclass(frozen=True)
class RunEditor:
    """Images in [-1, 1] that a method makes from rows of a data set, all from the x_T of one seed.

    With `seed` None each edit begins from the inverted x_T of its own image.
    """

    method: Generative
    dataset: Dataset
    sampling: Sampling
    seed: int | None

    @property
    def device(self) -> torch.device:
        """Where images are drawn."""
        return best_device()

    def images(self, rows: Rows) -> Images:
        """The images themselves."""
        return to_images(self.dataset.images(rows), self.device)

    def reconstruct(self, rows: Rows) -> Images:
        """The images from their own units."""
        return self.rebuild(self.images(rows))

    def rebuild(self, images: Images) -> Images:
        """Images of any origin from their own units."""
        return reconstruct_images(self.method, images, sampling=self.sampling, start=self._start(images))

    def mix(self, rows: Rows, groups: Sequence[Sequence[int]], seed: int) -> Images:
        """As many new images, of which each group of units comes from an image at these rows, drawn by itself."""
        images, rng = self.images(rows), np.random.default_rng(seed)
        with evaluating(self.method):
            units = encode_images(self.method, images, 64)
            for group in groups:
                order = torch.from_numpy(rng.permutation(len(units))).to(units.device)
                units[:, list(group)] = units[order][:, list(group)]
            return decode(self.method, units, self._start(images), sampling=self.sampling, batch=64)

    def swap(self, rows: Rows, partners: Rows, units: Sequence[int]) -> Images:
        """The images at `rows` with these units taken from the images at `partners`."""
        images = self.images(rows)
        start = self._start(images)
        return swap_units(self.method, images, self.images(partners), units, sampling=self.sampling, start=start)

    def traverse(
        self, rows: Rows, edits: Sequence[Sequence[int]], lines: Sequence[Float[Tensor, "step _ dim"]]
    ) -> Float[Tensor, "edit step batch channel height width"]:
        """The images with the units of one edit at a time set to each point of its line."""
        images = self.images(rows)
        return traverse_units(self.method, images, edits, lines, sampling=self.sampling, start=self._start(images))

    def has_start(self) -> bool:
        """Whether decoding begins from more than units: the x_T of a diffusion model."""
        return self.method.start(1, torch.Generator().manual_seed(0)) is not None

    def _start(self, images: Images) -> Start:
        return make_start(self.method, images, sampling=self.sampling, seed=self.seed)
