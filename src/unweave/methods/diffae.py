"""Diff-AE: a semantic encoder and a conditional diffusion U-Net, trained together.

Preechakul, Chatthee, Wizadwongsa, Suwajanakorn, "Diffusion autoencoders: toward a meaningful and decodable
representation", CVPR 2022, arXiv:2111.15640. Its latent diffusion model for unconditional samples is left out.
"""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from unweave.config import NamedSettings
from unweave.method import Batch, Generative, Loss, MethodDefinition, NamedGroups, Player, Sampling, Start
from unweave.models.diffusion import noising
from unweave.models.diffusion.balance import Balance
from unweave.models.diffusion.picture_denoiser import PictureDenoiser
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import Predict
from unweave.models.foundation import Foundation, FrozenEncoder
from unweave.models.gradient_decoder import add_condition, decoder_half, encoder_half
from unweave.models.latents import PixelSpace
from unweave.models.unet import UNetShape, unconditional_unet
from unweave.tensors import Images, Units

CITATION = """@inproceedings{preechakul2022diffusion,
  title     = {Diffusion Autoencoders: Toward a Meaningful and Decodable Representation},
  author    = {Preechakul, Konpat and Chatthee, Nattanat and Wizadwongsa, Suttisak and Suwajanakorn, Supasorn},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year      = {2022},
  note      = {arXiv:2111.15640}
}"""


class DiffAESettings(NamedSettings):
    """Defaults are the published ones for 64 px."""

    name: Literal["diffae"] = "diffae"
    dim: int = Field(512, ge=1, description="numbers of an image's code; each is a unit")
    encoder_channels: tuple[int, ...] = Field((64, 128, 256, 512, 512), description="encoder widths, fine to coarse")
    channels: tuple[int, ...] = Field((64, 128, 256, 512), description="U-Net widths, fine to coarse")
    attention: tuple[bool, ...] = Field(
        (False, False, True, False), description="which levels attend; the middle always does"
    )
    layers: int = Field(2, ge=1, description="residual blocks per level")
    heads: int = Field(1, ge=1, description="attention heads of the coarsest level")
    groups: int = Field(32, ge=1, description="groups of GroupNorm")
    dropout: float = Field(0.1, ge=0, lt=1, description="in the U-Net")
    schedule: noising.Schedule = Field("linear", description="noise schedule: 'linear', 'sqrt_linear' or 'cosine'")
    balance: bool = Field(False, description="true: every noise level counts the same; false: no weight (published)")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "release": {
        "method": {},
        "data": {"size": 64},
        "training": {"images": 72_000_000, "batch": 128, "rate": 1e-4, "weight_decay": 0.0, "average": 0.9999},
    },
    "laptop": {
        "method": {
            "encoder_channels": (32, 64, 128), "channels": (32, 64, 64), "attention": (False, True, False), "layers": 1,
            "heads": 4, "groups": 16, "dropout": 0.0, "balance": True,
        },
        "data": {"size": 32},
        "training": {
            "images": 60_000, "batch": 32, "optimiser": "soap", "rate": 3e-3, "betas": (0.95, 0.95), "warmup": 3_200,
            "decay": "cosine", "average": 0.995,
        },
    },
}  # fmt: skip


class DiffAE(Generative):
    """Loss: mean (eps - U(x_t, t, z))², z = E(x_0), t uniform over 0 .. 999 (Eq. 6 of the paper, by our
    reading: not checked against its text).

    In every residual block of U the time scales and shifts, then the code (AdaGN). Every number of the code is a unit.
    Scores use the averaged encoder. Works on latents as well, where there is a foundation.autoencoder.

    Deviations: the encoder is that of diffusers' autoencoders (residual blocks without time, attention in the middle),
    averaged over positions; no flips while training, because a flip may be a factor.

    On `foundation.encoder`, another run's method, the units are that run's, frozen, and the U-Net learns to draw them;
    `dim` and `encoder_channels` say nothing then.
    """

    def __init__(self, settings: DiffAESettings, foundation: Foundation) -> None:
        super().__init__()
        self.settings = s = settings
        self.space = foundation.diffusion_space()
        check_sizes(settings, foundation)
        self.bounded = isinstance(self.space, PixelSpace)
        frozen = foundation.encoder
        self.encoder: nn.Module = frozen or semantic_encoder(settings, foundation.shape[0])
        shape = UNetShape(s.channels, s.attention, s.layers, s.heads, s.groups, s.dropout)
        # in a list: diffusers could not open a U-Net whose blocks are conditioned, so it is no part to export
        self.unets = nn.ModuleList([unconditional_unet(self.space.shape[1], self.space.shape[0], shape)])
        add_condition(self.unets, frozen.numbers if frozen else s.dim)
        self.balance = Balance()
        self.process = Process(noising.scheduler_config(s.schedule, "eps"), trailing=True)
        self.averaged = ("unets",) if frozen else ("encoder", "unets")
        self.unit_groups = frozen.unit_groups if frozen else NamedGroups({"code": range(s.dim)})

    def players(self) -> list[Player]:
        weights = [*self.encoder.parameters(), *self.unets.parameters()]
        return [Player("diffae", self, [weight for weight in weights if weight.requires_grad])]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        x0 = self.space.encode(batch.images)
        t, eps, x_t = self.process.noised(x0, rng)
        error = noising.distance("l2", self.predict(x_t, t, self.encode(batch.to_encode)), eps)
        weighted = self.balance(error, t) * error if self.settings.balance else error
        return Loss(weighted.mean(), {"denoising": error.mean()})

    def encode(self, images: Images) -> Units:
        with torch.autocast(images.device.type, enabled=False):
            return (
                self.encoder(images) if isinstance(self.encoder, FrozenEncoder) else self.encoder(images).unsqueeze(2)
            )

    @property
    def unet(self) -> Any:
        return self.unets[0]

    def predict(self, x_t: Images, t: Tensor, units: Units) -> Images:
        """The noise in x_t; t is one time for all or one per image."""
        code = self.encoder.flat(units) if isinstance(self.encoder, FrozenEncoder) else units.squeeze(2)
        features = encoder_half(self.unet, x_t, t.to(x_t.device).expand(x_t.shape[0]), code)
        return decoder_half(self.unet, features, features.embedding).float()

    def start(self, count: int, rng: torch.Generator) -> Start:
        return self.process.start((count, *self.space.shape), rng)

    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        return self.process.invert(self.predictor(units), self.space.encode(images), sampling)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        predict = self.predictor(units)
        if sampling.clip and self.bounded:
            predict = self.process.clipping(predict)
        return self.space.decode(self.process.sample(predict, start, sampling, rng)).float().clamp(-1, 1)

    def predictor(self, units: Units) -> Predict:
        """The noise prediction as samplers ask for it."""
        return lambda x_t, t: self.predict(x_t, t, units)


def picture_denoiser(method: DiffAE, units: Units) -> PictureDenoiser:
    """Its U-Net, told the units of one picture."""

    def predict(x_t: Images, t: Tensor) -> Images:
        return method.predict(x_t, t, units.expand(x_t.shape[0], -1, -1))

    space = method.space
    return PictureDenoiser(method.process, predict, space.encode, space.soft_decode, space.shape)


def semantic_encoder(settings: DiffAESettings, colours: int) -> nn.Module:
    """Images -> their codes."""
    from diffusers.models.autoencoders.vae import Encoder

    convolutions = Encoder(
        colours,
        settings.dim,
        down_block_types=("DownEncoderBlock2D",) * len(settings.encoder_channels),
        block_out_channels=settings.encoder_channels,
        layers_per_block=settings.layers,
        norm_num_groups=settings.groups,
        double_z=False,
    )
    return nn.Sequential(convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(1))


def check_sizes(settings: DiffAESettings, foundation: Foundation) -> None:
    """Raises ValueError where settings and images do not fit together."""
    _, rows, columns = foundation.diffusion_space().shape
    multiple = 2 ** (len(settings.channels) - 1)
    if rows != columns or rows % multiple:
        raise ValueError(
            f"Diff-AE needs square images (latents, on an autoencoder) whose side is a multiple of {multiple} "
            f"({len(settings.channels)} levels), got {rows} x {columns}; set data.size."
        )
    smallest = 2 ** (len(settings.encoder_channels) - 1)
    if min(foundation.shape[1:]) < smallest:
        raise ValueError(
            f"the encoder of Diff-AE halves images {len(settings.encoder_channels) - 1} times, so they need {smallest} "
            f"pixels a side or more, got {foundation.shape[1]} x {foundation.shape[2]}; set data.size."
        )
    if len(settings.attention) != len(settings.channels):
        raise ValueError(
            f"method.attention must have one value per level of method.channels ({len(settings.channels)}), "
            f"got {len(settings.attention)}."
        )
    if any(c % settings.groups for c in (*settings.channels, *settings.encoder_channels)):
        raise ValueError(f"all widths must be divisible by method.groups ({settings.groups}).")


def build(settings: DiffAESettings, foundation: Foundation) -> DiffAE:
    return DiffAE(settings, foundation)


METHOD = MethodDefinition(
    settings=DiffAESettings,
    build=build,
    presets=PRESETS,
    citation=CITATION,
    scored_weights="averaged",
    denoiser=picture_denoiser,
    takes_views=True,
)
