"""Pictures as they are stored -> images of a run, in torch alone: what `data.reading` does, for exported graphs."""

from math import pi
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unweave.data.settings import Reading
from unweave.tensors import Images

Length = Float[Tensor, ""]
AxisWeights = Float[Tensor, "new stored"]
"""What each new pixel of an axis takes of the stored ones."""

SUPPORT = 3
"""Lobes of the Lanczos window."""
FIXED_POINT = 2.0**22
"""Pillow keeps weights for pictures of 8 bits as integers, in parts of this."""


class AxisPart(NamedTuple):
    """Along an axis: the stored pixels from `begin` to `end` become `number` new ones, the first of them at `first`."""

    begin: Length
    end: Length
    first: Length
    number: Length


class PictureReading(nn.Module):
    """Stored pictures [batch, height, width, channel] of any size -> images in [-1, 1] at the size of a run.

    Pictures are uint8 where the run reads bytes, else the numbers of its files in float32; their channels are those
    that the run takes (RGB or grey, or those of `data.channels`). They are cropped, padded or squashed as the run's
    were, and resized by Pillow's Lanczos filter: of pictures of 8 bits to the bit, with its weights in fixed point and
    its rounding between rows and columns.
    """

    low: Tensor
    factor: Tensor

    def __init__(self, shape: tuple[int, int, int], reading: Reading | None) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        bounds = ((0.0, 255.0),) * channels if reading is None else reading.range
        self.fit = "crop" if reading is None else reading.fit
        self.bytes = all(pair == (0, 255) for pair in bounds)
        lows, highs = torch.tensor(bounds, dtype=torch.float64).T
        self.register_buffer("low", lows[:, None, None])
        self.register_buffer("factor", (255 / (highs - lows))[:, None, None])

    def forward(self, pictures: Tensor) -> Images:
        numbers = pictures.permute(0, 3, 1, 2).double()  # (batch, channel, height, width)
        if not self.bytes:
            numbers = ((numbers - self.low) * self.factor).clamp(0, 255).float().double()
        height, width = (torch.as_tensor(pictures.shape[axis]).double() for axis in (1, 2))
        rows, columns = self.parts(height, width)
        across = self.weights(torch.arange(pictures.shape[2]).double(), columns, self.width)
        down = self.weights(torch.arange(pictures.shape[1]).double(), rows, self.height)
        pixels = self.rounded(down @ self.rounded(numbers @ across.T))
        return pixels.float().round().clamp(0, 255).div(127.5).sub(1)

    def parts(self, height: Length, width: Length) -> tuple[AxisPart, AxisPart]:
        """Of the rows and of the columns."""
        sizes, stored = (self.height, self.width), (height, width)
        none = torch.zeros_like(height)
        if self.fit == "crop":
            scale = torch.minimum(height / self.height, width / self.width)
            cuts = [((length - size * scale) / 2).clamp(min=0) for length, size in zip(stored, sizes)]
            rows, columns = (
                AxisPart(cut, torch.minimum(length - cut, length), none, torch.full_like(none, size))
                for cut, length, size in zip(cuts, stored, sizes)
            )
        elif self.fit == "pad":
            scale = torch.minimum(self.height / height, self.width / width)
            counts = [(length * scale).round().clamp(min=1) for length in stored]
            rows, columns = (
                AxisPart(none, length, ((size - count) / 2).floor(), count)
                for length, count, size in zip(stored, counts, sizes)
            )
        else:
            rows, columns = (
                AxisPart(none, length, none, torch.full_like(none, size)) for length, size in zip(stored, sizes)
            )
        return rows, columns

    def weights(self, old: Float[Tensor, "stored"], part: AxisPart, size: int) -> AxisWeights:
        """Pillow's for an axis of `size` new pixels; zeros for those beside the part."""
        new = torch.arange(size).double() - part.first
        begin, end = part.begin.float().double(), part.end.float().double()  # Pillow keeps a box in float32
        scale = (end - begin) / part.number
        spread = scale.clamp(min=1)
        centre = (begin + (new + 0.5) * scale)[:, None]
        nearest, beyond = (centre - SUPPORT * spread + 0.5).floor(), (centre + SUPPORT * spread + 0.5).floor()
        window = lanczos((old - centre + 0.5) / spread) * ((old >= nearest) & (old < beyond)).double()
        weights = window / window.sum(1, keepdim=True)
        if self.bytes:
            weights = weights.sign() * (weights.abs() * FIXED_POINT + 0.5).floor()
        inside = ((new >= 0) & (new < part.number))[:, None]
        return torch.where(inside, weights, torch.zeros_like(weights))

    def rounded(self, sums: Float[Tensor, "batch channel rows columns"]) -> Float[Tensor, "batch channel rows columns"]:
        """What Pillow keeps after the columns, and after the rows."""
        if not self.bytes:
            return sums.float().double()
        return ((sums + FIXED_POINT / 2) / FIXED_POINT).floor().clamp(0, 255)


def lanczos(x: AxisWeights) -> AxisWeights:
    """sinc(x) sinc(x / 3) for -3 <= x < 3, else 0."""
    return sinc(x) * sinc(x / SUPPORT) * ((x >= -SUPPORT) & (x < SUPPORT)).double()


def sinc(x: AxisWeights) -> AxisWeights:
    """sin(pi x) / (pi x), 1 at 0."""
    angle = torch.where(x == 0, torch.ones_like(x), x) * pi
    return torch.where(x == 0, torch.ones_like(x), angle.sin() / angle)
