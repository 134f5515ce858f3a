"""Backbones of self-supervised learners: images -> features, each a number."""

from typing import Literal

import torch
from torch import Tensor, nn

from unweave.models.encoder import Norm
from unweave.models.gathered import BatchNorm

Backbone = Literal["small", "resnet18"]


WIDTHS = (32, 64, 128, 128)
"""Channels of the small backbone after each halving."""


def norm(kind: Norm, channels: int) -> nn.Module:
    """BatchNorm over all processes, or GroupNorm in groups of eight channels, which does not mix images."""
    return BatchNorm(channels) if kind == "batch" else nn.GroupNorm(max(1, channels // 8), channels)


def small_backbone(shape: tuple[int, int, int], features: int, kind: Norm = "group") -> nn.Module:
    """Four strided 3 x 3 convolutions with norm and ReLU, and one linear layer over all positions. Ours."""
    channels, height, width = shape
    layers: list[nn.Module] = []
    for before, after in zip((channels, *WIDTHS), WIDTHS):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), norm(kind, after), nn.ReLU()]
        height, width = (height + 1) // 2, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(WIDTHS[-1] * height * width, features))


def resnet18(channels: int, features: int, kind: Norm = "batch") -> nn.Module:
    """ResNet-18 (He et al., arXiv:1512.03385) with a 3 x 3 stem of stride 1 and no max-pool, for small images.

    512 features are its mean over positions; other numbers are one linear layer more.
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, 64, 3, padding=1, bias=False), norm(kind, 64), nn.ReLU()]
    before = 64
    for after, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [BasicBlock(before, after, stride, kind), BasicBlock(after, after, 1, kind)]
        before = after
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if features != 512:
        layers.append(nn.Linear(512, features))
    return nn.Sequential(*layers)


class BasicBlock(nn.Module):
    """ReLU(shortcut(x) + [conv 3 x 3, norm, ReLU, conv 3 x 3, norm])."""

    def __init__(self, before: int, after: int, stride: int, kind: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            norm(kind, after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            norm(kind, after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), norm(kind, after))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.body(x))


def backbone(name: Backbone, shape: tuple[int, int, int], features: int, kind: Norm) -> nn.Module:
    """The backbone of that name."""
    return small_backbone(shape, features, kind) if name == "small" else resnet18(shape[0], features, kind)
