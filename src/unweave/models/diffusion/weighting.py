"""Loss weights over time, as functions of the signal-to-noise ratio.

A weight multiplies the loss of each image *in the space of the network's own prediction*. With an
l2 loss, uniform weight on eps equals weight SNR on x_0, and min(SNR, g) on x_0 equals min(1, g / SNR) on eps
(min-SNR-g of arXiv:2303.09556, up to the factor g: all but `snr` are scaled to a largest weight of 1, so that a
level that moves does not move the size of the gradient).
"""

from collections.abc import Callable
from typing import Literal

from torch import ones_like

from unweave.tensors import PerImage

Weighting = Literal["uniform", "min_snr", "snr", "sigmoid", "rising"]


def uniform(snr: PerImage, level: float) -> PerImage:
    """1 at all times."""
    return ones_like(snr)


def min_snr(snr: PerImage, level: float) -> PerImage:
    """min(SNR, level) / level: near-clean times count 1, noisier ones than SNR = level less and less."""
    return (snr / level).clamp(max=1)


def full_snr(snr: PerImage, level: float) -> PerImage:
    """SNR: turns an l2 loss on x_0 into the one on eps; `level` caps it at 1000 times itself, against overflow."""
    return snr.clamp(max=1000 * level)


def sigmoid(snr: PerImage, level: float) -> PerImage:
    """SNR / (SNR + level): min_snr without its corner."""
    return snr / (snr + level)


def rising(snr: PerImage, level: float) -> PerImage:
    """(1 + min(SNR, level)) / (1 + level): on x_0, up to that level, the weight that an unweighted error of v has."""
    return (1 + snr.clamp(max=level)) / (1 + level)


WEIGHTINGS: dict[str, Callable[[PerImage, float], PerImage]] = {
    "uniform": uniform,
    "min_snr": min_snr,
    "snr": full_snr,
    "sigmoid": sigmoid,
    "rising": rising,
}
