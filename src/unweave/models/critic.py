"""Critics: networks that tell codes from other codes, or images from images."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def mlp_critic(units: int, width: int = 1000, depth: int = 6) -> nn.Module:
    """The discriminator of FactorVAE: `depth` leaky-ReLU layers (slope 0.2) and two logits (joint, shuffled).

    Kim & Mnih, arXiv:1802.05983, appendix, as disentanglement_lib reads it: six hidden layers of width
    1000, then the logits.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise([units, *[width] * depth]):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(width, 2))


def patch_critic(channels: int, width: int = 64, layers: int = 3) -> nn.Module:
    """The PatchGAN of Isola et al. (arXiv:1611.07004): a logit for each overlapping patch of an image.

    4 x 4 convolutions, `layers` of them halving the side, BatchNorm and leaky ReLU (slope 0.2): the discriminator of
    the latent-diffusion autoencoders.
    """
    body: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for i in range(1, layers + 1):
        before, after = width * min(2 ** (i - 1), 8), width * min(2**i, 8)
        stride = 2 if i < layers else 1
        body += [nn.Conv2d(before, after, 4, stride, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*body, nn.Conv2d(width * min(2**layers, 8), 1, 4, 1, 1))


def image_critic(shape: tuple[int, int, int]) -> nn.Module:
    """One logit for an image whose sides 16 divides: convolutions 4x4 (32, 32, 64, 64), each halving the side, then 128
    linear; leaky ReLU (slope 0.2), spectral norm on every layer (InfoGAN-CR, Lin et al., arXiv:1906.06034)."""
    channels, height, width = shape
    body: list[nn.Module] = []
    for before, after in pairwise([channels, 32, 32, 64, 64]):
        body += [spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
    coarse = 64 * (height // 16) * (width // 16)
    return nn.Sequential(
        *body, nn.Flatten(), spectral_norm(nn.Linear(coarse, 128)), nn.LeakyReLU(0.2), spectral_norm(nn.Linear(128, 1))
    )
