"""The convolutional encoder and decoder of disentanglement_lib, which the VAE methods share.

Locatello et al., "Challenging common assumptions in the unsupervised learning of disentangled representations",
ICML 2019, arXiv:1811.12359, Table 1. Made for 64 px; other sides that 16 divides change the linear layers only.
"""

from torch import nn


def encoder(shape: tuple[int, int, int], outputs: int) -> nn.Module:
    """Convolutions 4x4 (32), 4x4 (32), 2x2 (64), 2x2 (64), each halving the side, 256 linear, then `outputs`; ReLU."""
    channels, height, width = shape
    check_sides(shape)
    return nn.Sequential(
        *(nn.Conv2d(channels, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU()),
        *(nn.Conv2d(32, 64, 2, 2), nn.ReLU(), nn.Conv2d(64, 64, 2, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(64 * (height // 16) * (width // 16), 256), nn.ReLU(), nn.Linear(256, outputs)),
    )


def decoder(shape: tuple[int, int, int], inputs: int) -> nn.Module:
    """Linear 256 and 64 channels at a sixteenth of the side, then transposed convolutions 4x4 (64, 32, 32, colours)."""
    channels, height, width = shape
    check_sides(shape)
    coarse = (64, height // 16, width // 16)
    return nn.Sequential(
        *(nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, 64 * coarse[1] * coarse[2]), nn.ReLU()),
        *(nn.Unflatten(1, coarse), nn.ConvTranspose2d(64, 64, 4, 2, 1), nn.ReLU()),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU()),
        nn.ConvTranspose2d(32, channels, 4, 2, 1),
    )


def check_sides(shape: tuple[int, int, int]) -> None:
    """Raises ValueError where the sides do not halve four times."""
    _, height, width = shape
    if height % 16 or width % 16:
        raise ValueError(
            f"the sweep's networks halve images four times: sides must be multiples of 16, got {height} x {width}; "
            "set data.size."
        )
