"""Convolutional encoders: images -> a flat code."""

from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "group"]


def norm(kind: Norm, channels: int) -> nn.Module:
    """BatchNorm, or GroupNorm in groups of eight channels, which does not mix the images of a batch."""
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(max(1, channels // 8), channels)


class Residual(nn.Module):
    """x + [ReLU, conv 3x3, norm, ReLU, conv 1x1]."""

    def __init__(self, channels: int, kind: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            norm(kind, channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def strided_residual(
    shape: tuple[int, int, int], outputs: int, width: int = 128, kind: Norm = "batch", halvings: int = 4
) -> nn.Module:
    """The encoder of the EncDiff and DisDiff releases: four strided convolutions, two residual blocks, one linear.

    At 64 px it has 1.164 M parameters before the last layer's change of `outputs` (20 there), and ends at 4 x 4
    positions; with three `halvings` it does so at 32 px. The ReLU that is missing after the last norm but one is
    missing in the release as well.
    """
    channels, height, side = shape
    _check(height, side, halvings)
    layers: list[nn.Module] = []
    for i in range(halvings):
        layers += [nn.Conv2d(channels if i == 0 else width, width, 4, stride=2, padding=1), norm(kind, width)]
        if i != halvings - 2:
            layers.append(nn.ReLU())
    layers += [Residual(width, kind), norm(kind, width), nn.ReLU(), Residual(width, kind), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(width * (height >> halvings) * (side >> halvings), outputs))


def plain(shape: tuple[int, int, int], outputs: int, width: int = 64) -> nn.Module:
    """The encoder printed in Table 8 of arXiv:2402.09712: five convolutions and three linear layers, no norm."""
    channels, height, side = shape
    _check(height, side)
    widths = [width, 2 * width, 4 * width, 4 * width, 4 * width]
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 7, padding=3), nn.ReLU()]
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
    flat, hidden = 4 * width * (height // 16) * (side // 16), 4 * width
    head = [nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def _check(height: int, width: int, halvings: int = 4) -> None:
    multiple = 2**halvings
    if height % multiple or width % multiple:
        raise ValueError(
            f"the encoder halves images {halvings} times: "
            f"sides must be multiples of {multiple}, got {height} x {width}."
        )
