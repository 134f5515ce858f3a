"""A data set at another size and number of colours: what a run reads that was trained on images of another shape."""

import hashlib

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unweave.data.dataset import Dataset, ReadablePixels, ReadableRows
from unweave.data.reading.image_files import resize_pixels
from unweave.types import FactorTable, Pixels, Rows

ShapedPixels = UInt8[np.ndarray, "rows new_height new_width new_channel"]


class ShapedDataset(Dataset):
    """The images of a set as `to_shape` makes them; all else is that set's."""

    def __init__(self, base: Dataset, shape: tuple[int, int, int]) -> None:
        self.base, self.shape = base, shape
        self.name, self.card, self.files, self.splits = base.name, base.card, base.files, base.splits
        self.factor_names, self.factor_sizes, self.left_out = base.factor_names, base.factor_sizes, base.left_out

    def __len__(self) -> int:
        return len(self.base)

    def images(self, rows: Rows) -> Pixels:
        return to_shape(self.base.images(rows), self.shape)

    def readable_images(self, rows: Rows) -> tuple[ReadablePixels, ReadableRows, dict[int, str]]:
        pixels, readable, bad = self.base.readable_images(rows)
        return to_shape(pixels, self.shape), readable, bad

    def factors(self, rows: Rows) -> FactorTable | None:
        return self.base.factors(rows)

    def digest(self) -> str:
        return hashlib.sha256(f"{self.base.digest()} {self.shape}".encode()).hexdigest()[:16]


def can_be_shaped(have: tuple[int, int, int], want: tuple[int, int, int]) -> bool:
    """Whether the channels are as many, or colours become greys; greys do not become colours."""
    return have[0] == want[0] or (have[0], want[0]) == (3, 1)


def to_shape(pixels: Pixels, shape: tuple[int, int, int]) -> ShapedPixels:
    """The middle of each image at this shape (channels, height, width); colours become greys by their luma (BT.601)."""
    channels, height, width = shape
    if pixels.shape[3] == 3 and channels == 1:
        greys = [np.asarray(Image.fromarray(image).convert("L")) for image in pixels]
        pixels = np.array(greys, np.uint8).reshape(*pixels.shape[:3], 1)
    return resize_pixels(pixels, (height, width))
