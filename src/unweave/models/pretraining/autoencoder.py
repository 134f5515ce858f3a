"""The autoencoder of latent diffusion: images to a small grid of latents (quantised, VQ, or Gaussian, KL) and back.

Esser et al., "Taming transformers", arXiv:2012.09841 (VQ); Rombach et al., "High-resolution image synthesis with latent
diffusion models", arXiv:2112.10752 (KL, and the sizes here). The networks are diffusers' `VQModel` and `AutoencoderKL`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from unweave.config import NamedSettings
from unweave.method import Batch, Loss, MethodDefinition, Player, Pretraining, PreviewImages
from unweave.models.critic import patch_critic
from unweave.models.foundation import Foundation
from unweave.models.perception import frozen_extractor, perceptual_distance
from unweave.tensors import Images, Scalar

if TYPE_CHECKING:
    import diffusers

CITATION = """@inproceedings{rombach2022high,
  title     = {High-Resolution Image Synthesis with Latent Diffusion Models},
  author    = {Rombach, Robin and Blattmann, Andreas and Lorenz, Dominik and Esser, Patrick and Ommer, Bj{\\"o}rn},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year      = {2022},
  note      = {arXiv:2112.10752}
}"""


class AutoencoderSettings(NamedSettings):
    """Defaults are the VQ autoencoder of the EncDiff and DisDiff releases, 64 px to 16 x 16 x 3."""

    name: Literal["autoencoder"] = "autoencoder"
    kind: Literal["vq", "kl"] = Field("vq", description="'vq': a codebook; 'kl': a Gaussian posterior")
    channels: tuple[int, ...] = Field((32, 64, 128), description="widths, fine to coarse; each but the last halves")
    layers: int = Field(2, ge=1, description="residual blocks per level")
    latent: int = Field(3, ge=1, description="channels of the latents; the KL variant has 4")
    codebook: int = Field(2048, ge=2, description="entries of the codebook (VQ)")
    codebook_weight: float = Field(1.0, ge=0, description="weight of the codebook and commitment terms (VQ)")
    kl_weight: float = Field(1e-6, ge=0, description="weight of KL(q(z|x) || N(0, 1)), both per image (KL)")
    groups: int = Field(32, ge=1, description="groups of the GroupNorm")
    middle_attention: bool = Field(True, description="self-attention at the coarsest level")
    loss: Literal["l1", "l2"] = Field("l1", description="of pixels and features: 'l1' (releases) or 'l2'")
    perceptual: float = Field(1.0, ge=0, description="weight of the perceptual term")
    features: str = Field(
        "gradients", description="of the perceptual term: 'gradients', or one of the entry points unweave.features"
    )
    adversarial: float = Field(
        0.75, ge=0, description="weight of the critic, relative to the gradient of the reconstruction; 0 is none"
    )
    critic_width: int = Field(64, ge=1, description="channels of the critic's first layer")
    critic_from: int = Field(0, ge=0, description="images after which the critic begins to count")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "release": {
        "method": {},
        "data": {"size": 64},
        "training": {
            "images": 4_800_000, "batch": 256, "rate": 1.152e-3, "betas": (0.5, 0.9), "weight_decay": 0.0,
            "average": 0.0,
        },
    },
    "release-kl": {
        "method": {"kind": "kl", "latent": 4, "adversarial": 0.5, "critic_from": 12_800_000},
        "data": {"size": 64},
        "training": {
            "images": 25_600_000, "batch": 256, "rate": 1.152e-3, "betas": (0.5, 0.9), "weight_decay": 0.0,
            "average": 0.0,
        },
    },
    "laptop": {
        "method": {
            "channels": (16, 32, 64), "layers": 1, "groups": 8, "codebook": 512, "middle_attention": False,
            "adversarial": 0.0, "loss": "l2",
        },
        "data": {"size": 32},
        "training": {
            "images": 60_000, "batch": 32, "rate": 2e-3, "betas": (0.9, 0.99), "weight_decay": 0.0, "warmup": 3_200,
            "decay": "cosine", "average": 0.0,
        },
    },
    "laptop-kl": {
        "method": {
            "kind": "kl", "latent": 4, "channels": (16, 32, 64), "layers": 1, "groups": 8, "middle_attention": False,
            "adversarial": 0.0, "kl_weight": 0.003, "loss": "l2",
        },
        "data": {"size": 32},
        "training": {
            "images": 60_000, "batch": 32, "rate": 2e-3, "betas": (0.9, 0.99), "weight_decay": 0.0, "warmup": 3_200,
            "decay": "cosine", "average": 0.0,
        },
    },
}  # fmt: skip
"""`release` and `release-kl` are for 64 px (16 x 16 latents), `laptop` and `laptop-kl` for 32 px (8 x 8) on two cores.

The releases' lengths are not published; ours are guesses. The laptop presets have no critic because none pays in their
minutes, and squared errors, because absolute ones leave small things out: on `sprites` 29.8 dB after 16,000 images,
where l1 has 15.8, and 26.2 after 60,000 with many of the small sprites missing.
"""


class Autoencoder(Pretraining):
    """Loss: mean |x - x'| + perceptual + d_w · (-mean D(x')) + codebook and commitment (VQ), or KL.

    d_w is `adversarial` · |grad of the first two| / |grad of the critic's term|, both by the last layer's weight, in
    [0, 10⁴] (Eq. 7 of arXiv:2012.09841). VQ has diffusers' quantiser, whose 0.25 multiplies the codebook term, as in
    the releases. The critic is the second player (`ImageCritic`, hinge loss).

    Deviations: the perceptual term is, by default, an l1 distance of image gradients on three scales, where the
    releases have LPIPS on VGG weights; a network of your own takes its place by the entry-point group
    `unweave.features`. The releases sum errors and KL over an image where we average both over its numbers, and for KL
    they also learn a variance of the reconstruction, which is fixed here.
    """

    def __init__(self, settings: AutoencoderSettings, foundation: Foundation) -> None:
        super().__init__()
        check_sizes(settings, foundation)
        self.settings = settings
        channels, height, _ = foundation.shape
        self.autoencoder: Any = build_network(settings, channels, height)
        self.features = frozen_extractor(settings.features)
        if settings.adversarial > 0:
            self.critic = patch_critic(channels, settings.critic_width)

    def players(self) -> list[Player]:
        players = [Player("autoencoder", self, list(self.autoencoder.parameters()))]
        if self.settings.adversarial > 0:
            players.append(Player("critic", ImageCritic(self), list(self.critic.parameters()), betas=(0.5, 0.9)))
        return players

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s, images = self.settings, batch.images
        rebuilt, bottleneck = self.rebuild(images, rng)
        pixels = DISTANCES[s.loss](rebuilt, images)
        perceptual = perceptual_distance(self.features, rebuilt, images, DISTANCES[s.loss])
        reconstruction = pixels + s.perceptual * perceptual
        total = reconstruction + bottleneck
        terms = {"pixels": pixels, "perceptual": perceptual, "bottleneck": bottleneck}
        if s.adversarial > 0 and batch.seen >= s.critic_from:
            adversarial = -self.critic(rebuilt).float().mean()
            last = self.autoencoder.decoder.conv_out.weight
            total = total + s.adversarial * gradient_ratio(reconstruction, adversarial, last) * adversarial
            terms["adversarial"] = adversarial
        return Loss(total, terms)

    def rebuild(self, images: Images, rng: torch.Generator) -> tuple[Images, Scalar]:
        """The images through the bottleneck, in float32, and the weighted term that it costs."""
        s = self.settings
        if s.kind == "vq":
            latents = self.autoencoder.encode(images).latents.float()
            with torch.autocast(images.device.type, enabled=False):  # the nearest entry is found in 24 bits
                quantised, cost, _ = self.autoencoder.quantize(latents)
            rebuilt = self.autoencoder.decode(quantised, force_not_quantize=True).sample
            return rebuilt.float(), s.codebook_weight * cost
        posterior = self.autoencoder.encode(images).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=rng, device=rng.device).to(images.device)
        rebuilt = self.autoencoder.decode(posterior.mean + posterior.std * noise).sample
        return rebuilt.float(), s.kl_weight * posterior.kl().float().mean() / images[0].numel()

    def preview(self, images: Images, rng: torch.Generator) -> PreviewImages:
        """Each image, and what comes back of it."""
        rebuilt = self.autoencoder(images).sample if self.settings.kind == "vq" else self.mean(images)
        return torch.stack([images, rebuilt.float().clamp(-1, 1)], 1).flatten(0, 1)

    def mean(self, images: Images) -> Images:
        return self.autoencoder.decode(self.autoencoder.encode(images).latent_dist.mode()).sample

    def export(self, images: Images, folder: Path) -> None:
        """`vqvae` or `vae`, with scaling_factor = 1 / the standard deviation of the latents of these images."""
        encoded = [self.autoencoder.encode(part) for part in images.split(50)]
        vq = self.settings.kind == "vq"
        latents = torch.cat([part.latents if vq else part.latent_dist.mode() for part in encoded])
        self.autoencoder.register_to_config(scaling_factor=float(1 / latents.std()))
        self.autoencoder.save_pretrained(folder / ("vqvae" if vq else "vae"))


class ImageCritic(nn.Module):
    """Loss: hinge, mean max(0, 1 - D(x)) / 2 + mean max(0, 1 + D(x')) / 2, with x' as it is after the other's step."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        with torch.no_grad():
            rebuilt, _ = self.autoencoder.rebuild(batch.images, rng)
        real, fake = (self.autoencoder.critic(images).float() for images in (batch.images, rebuilt))
        hinge = 0.5 * (functional.relu(1 - real).mean() + functional.relu(1 + fake).mean())
        counts = batch.seen >= self.autoencoder.settings.critic_from
        return Loss(hinge * float(counts), {"hinge": hinge})


def build_network(
    settings: AutoencoderSettings, channels: int, size: int
) -> "diffusers.VQModel | diffusers.AutoencoderKL":
    """diffusers' autoencoder of these sizes."""
    from diffusers import AutoencoderKL, VQModel

    levels = len(settings.channels)
    shared: dict[str, Any] = {
        "in_channels": channels,
        "out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": settings.channels,
        "layers_per_block": settings.layers,
        "latent_channels": settings.latent,
        "norm_num_groups": settings.groups,
        "sample_size": size,
        "mid_block_add_attention": settings.middle_attention,
    }
    if settings.kind == "vq":
        return VQModel(num_vq_embeddings=settings.codebook, **shared)
    return AutoencoderKL(**shared)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Scalar]] = {
    "l1": functional.l1_loss,
    "l2": functional.mse_loss,
}


def gradient_ratio(reconstruction: Scalar, adversarial: Scalar, last: Tensor) -> Scalar:
    """|grad of reconstruction| / |grad of adversarial| by the last layer's weight, without gradient of its own."""
    losses = (reconstruction, adversarial)
    one, other = (torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in losses)
    return (one / (other + 1e-4)).clamp(0, 1e4).detach()


def check_sizes(settings: AutoencoderSettings, foundation: Foundation) -> None:
    """Raises ValueError where settings and images do not fit together."""
    _, height, width = foundation.shape
    multiple = 2 ** (len(settings.channels) - 1)
    if height != width or height % multiple:
        raise ValueError(
            f"the autoencoder halves square images {len(settings.channels) - 1} times: their side must be a multiple "
            f"of {multiple}, got {height} x {width}; set data.size."
        )
    if settings.adversarial > 0 and height < 32:
        raise ValueError(f"the critic needs images of at least 32 px, got {height}; set method.adversarial=0.")
    if any(c % settings.groups for c in settings.channels):
        raise ValueError(
            f"every width of method.channels must be divisible by method.groups ({settings.groups}), "
            f"got {settings.channels}."
        )


def build(settings: AutoencoderSettings, foundation: Foundation) -> Autoencoder:
    return Autoencoder(settings, foundation)


METHOD = MethodDefinition(
    settings=AutoencoderSettings, build=build, presets=PRESETS, citation=CITATION, takes_views=True
)
