"""Pictures of four columns whose shades are known, and a method whose units are the shades."""

import torch
from jaxtyping import Float
from tests.data.in_memory import InMemory
from torch import Tensor

from unweave.factors.factor import Factor
from unweave.method import OneShot, Player, Sampling, Start
from unweave.tensors import Images, Units, to_pixels

COLUMNS = 4
FACTORS = [Factor((unit,), 0.1) for unit in range(COLUMNS)]


class Shades(OneShot):
    """The units are the shades in [-1, 1]; what is outside cannot be drawn."""

    def players(self) -> list[Player]:
        return []

    def encode(self, images: Images) -> Units:
        return images[:, 0, 0, ::2, None].clone()

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return draw(units[:, :, 0])


def draw(shades: Float[Tensor, "batch shade"]) -> Images:
    return shades.clamp(-1, 1).repeat_interleave(2, dim=1)[:, None, None].expand(-1, 1, 8, -1).contiguous()


def shade_pictures(rows: int) -> Images:
    """Pictures whose shades are uniform and independent."""
    return draw(torch.rand(rows, COLUMNS, generator=torch.Generator().manual_seed(0)) * 2 - 1)


def shade_dataset(rows: int) -> InMemory:
    return InMemory("shades", to_pixels(shade_pictures(rows)))
