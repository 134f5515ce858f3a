"""What C-S DisMo and LORD share: content and style of an image, from tables of codes first and from encoders then.

Latent optimisation: Gabbay & Hoshen, "Demystifying Inter-Class Disentanglement", ICLR 2020, arXiv:1906.11796.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import SettingsError
from unweave.method import NamedGroups, OneShot, Sampling, Start
from unweave.tensors import Images, Units

BYTES = 400
"""A code takes no more."""

RATE = 10.0
"""Codes move so many times faster than networks (LORD): the tables hold them divided by it."""

Content = Float[Tensor, "batch content"]
Style = Float[Tensor, "batch style"]


class ContentStyle(OneShot):
    """Units are two vectors, `content` and `style`, the shorter one filled with zeros; encoders give them."""

    def __init__(
        self, content: int, style: int, generator: nn.Module, content_encoder: nn.Module, style_encoder: nn.Module
    ) -> None:
        """`content` and `style` are how many numbers each has, `generator` takes both."""
        super().__init__()
        self.widths, self.generator = (content, style), generator
        self.content_encoder, self.style_encoder = content_encoder, style_encoder
        self.unit_groups = NamedGroups({"content": [0], "style": [1]})

    def encoded(self, images: Images) -> tuple[Content, Style]:
        """The encoders' codes."""
        with torch.autocast(images.device.type, enabled=False):
            return self.content_encoder(images), self.style_encoder(images)

    def encode(self, images: Images) -> Units:
        return padded_units(*self.encoded(images))

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        content, style = (units[:, i, :width] for i, width in enumerate(self.widths))
        return self.generator(content, style).float().clamp(-1, 1)


def padded_units(content: Content, style: Style) -> Units:
    """Two vector units; the shorter one is filled with zeros."""
    width = max(content.shape[1], style.shape[1])
    return torch.stack([functional.pad(code, (0, width - code.shape[1])) for code in (content, style)], 1)


def check_bytes(content: int, style: int) -> None:
    """Raises SettingsError where a code takes more than 400 bytes an image."""
    if 4 * (content + style) > BYTES:
        raise SettingsError(
            f"a code of method.content={content} + method.style={style} numbers takes {4 * (content + style)} bytes "
            f"an image, and {BYTES} are the most: lower one of them."
        )


def noisy(code: Float[Tensor, "_ _"], deviation: float, rng: torch.Generator) -> Float[Tensor, "_ _"]:
    return code + deviation * torch.randn(code.shape, generator=rng, device=rng.device).to(code)
