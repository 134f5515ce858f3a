"""The space that a diffusion model works in: pixels, or the latents of a frozen autoencoder."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unweave.models.frozen import FrozenNetwork
from unweave.tensors import Images

if TYPE_CHECKING:
    import diffusers

Latent = Float[Tensor, "batch depth rows columns"]
"""Points of a space; images themselves where the space is that of pixels."""


class Space(nn.Module, ABC):
    """The way from images to latents and back."""

    shape: tuple[int, int, int]  # channels, rows, columns of a latent

    @abstractmethod
    def encode(self, images: Images) -> Latent:
        """Latents of about unit variance, without gradient, deterministic."""

    @abstractmethod
    def decode(self, latents: Latent) -> Images:
        """Images, not clipped; a codebook's nearest entries are decoded where there is a codebook."""

    @abstractmethod
    def soft_decode(self, latents: Latent) -> Images:
        """As `decode`, differentiable: the latents themselves are decoded, not their nearest codebook entries."""


class PixelSpace(Space):
    """Images as they are."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def encode(self, images: Images) -> Latent:
        return images

    def decode(self, latents: Latent) -> Images:
        return latents

    def soft_decode(self, latents: Latent) -> Images:
        return latents


class LatentSpace(Space):
    """Latents of diffusers' `VQModel` (before quantisation) or `AutoencoderKL` (the mean), times its scaling factor."""

    def __init__(self, autoencoder: "diffusers.VQModel | diffusers.AutoencoderKL", shape: tuple[int, int, int]) -> None:
        from diffusers import VQModel

        super().__init__()
        self.frozen = FrozenNetwork(autoencoder)
        self.quantises = isinstance(autoencoder, VQModel)
        self.scale = float(autoencoder.config.scaling_factor)
        self.shift = float(dict(autoencoder.config).get("shift_factor") or 0.0)
        with torch.inference_mode():
            latents = self.encode(torch.zeros(1, *shape))
            decoded = tuple(self.decode(latents).shape[1:])
        if decoded != shape:
            raise ValueError(
                f"the autoencoder gives back {decoded[1]} x {decoded[2]} of images of {shape[1]} x {shape[2]}: "
                f"set data.size={decoded[1]}."
            )
        _, channels, rows, columns = latents.shape
        self.shape = (channels, rows, columns)

    @property
    def autoencoder(self) -> Any:
        """The network of diffusers."""
        return self.frozen.network

    @torch.no_grad()
    def encode(self, images: Images) -> Latent:
        with torch.autocast(images.device.type, enabled=False):
            encoded = self.autoencoder.encode(images)
            latents = encoded.latents if self.quantises else encoded.latent_dist.mode()
            return (latents - self.shift) * self.scale

    def decode(self, latents: Latent) -> Images:
        return self.autoencoder.decode(self.unscaled(latents)).sample

    def soft_decode(self, latents: Latent) -> Images:
        unscaled = self.unscaled(latents)
        if self.quantises:
            return self.autoencoder.decode(unscaled, force_not_quantize=True).sample
        return self.autoencoder.decode(unscaled).sample

    def unscaled(self, latents: Latent) -> Latent:
        """The autoencoder's own latents."""
        return latents / self.scale + self.shift
