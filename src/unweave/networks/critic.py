"""Critics: networks that tell codes from other codes."""

from itertools import pairwise

from torch import nn


def mlp_critic(units: int, width: int = 1000, depth: int = 6) -> nn.Module:
    """The discriminator of FactorVAE: `depth` leaky-ReLU layers (slope 0.2) and two logits (joint, shuffled).

    Kim & Mnih, arXiv:1802.05983, appendix, as the sweep reads it: six hidden layers of width 1000, then the logits.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise([units, *[width] * depth]):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(width, 2))
