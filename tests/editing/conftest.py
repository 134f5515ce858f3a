"""A toy method whose every edit is known exactly: unit i paints stripe i of the image."""

import pytest
import torch
from torch import nn

from unweave.method import Generative, Method, Player, Sampling


class Stripes(Generative):
    """Unit i is the mean colour of stripe i; the start is what the colour leaves of the image."""

    def __init__(self, units: int = 4, noisy: bool = True) -> None:
        super().__init__()
        self.units, self.noisy = units, noisy
        self.sizes: list[int] = []
        self.inner = nn.Dropout()

    def players(self) -> list[Player]:
        return []

    def encode(self, images):
        assert not self.training
        assert not self.inner.training
        self.sizes.append(len(images))
        return images.unflatten(3, (self.units, -1)).mean((2, 4)).transpose(1, 2)  # (batch, unit, channel)

    def paint(self, units):
        colours = units.transpose(1, 2)[:, :, None, :]  # (batch, channel, 1, unit)
        return colours.expand(-1, -1, 8, -1).repeat_interleave(2, 3)

    def start(self, count, rng):
        return torch.randn(count, 3, 8, 2 * self.units, generator=rng) if self.noisy else None

    def invert(self, images, units, sampling):
        return images - self.paint(units) if self.noisy else None

    def decode(self, units, start, sampling, rng=None):
        assert not self.training
        assert torch.is_inference_mode_enabled()
        self.sizes.append(len(units))
        return self.paint(units) + (start if self.noisy else 0)


class Blind(Method):
    """A method without a decoder."""

    def players(self) -> list[Player]:
        return []

    def encode(self, images):
        return images.mean((2, 3)).unsqueeze(2)


@pytest.fixture
def stripes() -> Stripes:
    return Stripes()


@pytest.fixture
def one_shot() -> Stripes:
    return Stripes(noisy=False)


@pytest.fixture
def blind() -> Blind:
    return Blind()


@pytest.fixture
def sampling() -> Sampling:
    return Sampling(steps=2)


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    images, partners = (torch.rand(5, 3, 8, 8, generator=rng) * 2 - 1 for _ in range(2))
    return images, partners
