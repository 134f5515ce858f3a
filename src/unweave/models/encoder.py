"""Convolutional encoders: images -> a flat code."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "group"]


def norm(kind: Norm, channels: int) -> nn.Module:
    """BatchNorm, or GroupNorm in groups of eight channels, which does not mix the images of a batch."""
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.GroupNorm(max(1, channels // 8), channels)


class ResidualBlock(nn.Module):
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


def residual_encoder(
    shape: tuple[int, int, int], outputs: int, width: int = 128, kind: Norm = "batch", halvings: int = 4
) -> nn.Module:
    """The encoder of the EncDiff and DisDiff releases: four strided convolutions, two residual blocks, one linear.

    At 64 px it has 1.164 M parameters before the last layer's change of `outputs` (20 there), and ends at 4 x 4
    positions; with three `halvings` it does so at 32 px. The ReLU that is missing after the last norm but one is
    missing in the release as well.
    """
    channels, height, side = shape
    _check_sides(height, side, halvings)
    layers: list[nn.Module] = []
    for i in range(halvings):
        layers += [nn.Conv2d(channels if i == 0 else width, width, 4, stride=2, padding=1), norm(kind, width)]
        if i != halvings - 2:
            layers.append(nn.ReLU())
    layers += [ResidualBlock(width, kind), norm(kind, width), nn.ReLU(), ResidualBlock(width, kind), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(width * (height >> halvings) * (side >> halvings), outputs))


def plain_encoder(shape: tuple[int, int, int], outputs: int, width: int = 64) -> nn.Module:
    """The encoder printed in Table 8 of arXiv:2402.09712: five convolutions and three linear layers, no norm."""
    channels, height, side = shape
    _check_sides(height, side)
    widths = [width, 2 * width, 4 * width, 4 * width, 4 * width]
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 7, padding=3), nn.ReLU()]
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
    flat, hidden = 4 * width * (height // 16) * (side // 16), 4 * width
    head = [nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def attention_encoder(
    shape: tuple[int, int, int], outputs: int, widths: Sequence[int] | None, heads: int = 4
) -> nn.Module:
    """The encoder of PDAE and DiTi: one strided convolution for each width, down to 4 x 4, then one linear layer.

    Self-attention once, at 16 x 16 positions (not at all below 32 px); GroupNorm of (at most) 32 groups and SiLU
    between the convolutions. The published widths (None) are 64, 128, 128, 128 at 64 px, where 512 outputs make 1.487 M
    parameters, and 64, 128, 256, 256, 256 at 128 px. Raises ValueError for images that cannot be halved so.
    """
    channels, height, side = shape
    halvings = side.bit_length() - 3
    if height != side or side != 4 << halvings or halvings < 1:
        raise ValueError(
            f"the encoder halves images down to 4 x 4: use sides of 8, 16, 32, ..., got {height} x {side}."
        )
    if widths is None:
        widths = (64, 128, *((128 if halvings < 5 else 256,) * (halvings - 2)))[:halvings]
    if len(widths) != halvings:
        raise ValueError(
            f"method.encoder_widths needs {halvings} numbers, one a halving of {side} px to 4; got {len(widths)}."
        )
    if any(width % heads or width % min(32, width) for width in widths):
        raise ValueError(f"method.encoder_widths must be multiples of 32 (and of {heads} heads), got {tuple(widths)}.")
    layers: list[nn.Module] = []
    for before, after in zip([channels, *widths], widths):
        layers.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
        side //= 2
        if side == 16:
            layers.append(self_attention(after, heads))
        layers += [nn.GroupNorm(min(32, after), after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * side * side, outputs))


def self_attention(channels: int, heads: int) -> nn.Module:
    """x + attention(norm(x)) between the positions of feature maps."""
    from diffusers.models.attention_processor import Attention

    return Attention(
        channels, heads=heads, dim_head=channels // heads, norm_num_groups=min(32, channels), bias=True,
        residual_connection=True,
    )  # fmt: skip


def _check_sides(height: int, width: int, halvings: int = 4) -> None:
    multiple = 2**halvings
    if height % multiple or width % multiple:
        raise ValueError(
            f"the encoder halves images {halvings} times: "
            f"sides must be multiples of {multiple}, got {height} x {width}."
        )
