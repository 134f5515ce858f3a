"""EncDiff: an image becomes concept tokens, and cross-attention in a diffusion U-Net is the only bias.

Yang, Lan, Lu, Zheng, "Diffusion Model with Cross Attention as an Inductive Bias for Disentanglement",
NeurIPS 2024, arXiv:2402.09712. The released configuration, not the one printed in the paper, is what independent
re-runs have confirmed, so it is the default here; `PRESETS` has both and one for a laptop.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from unweave.config import NamedSettings
from unweave.method import Batch, Generative, Loss, MethodDefinition, Player, Sampling, Start
from unweave.models.attention import RecordingAttention
from unweave.models.diffusion import noising
from unweave.models.diffusion.balance import Balance
from unweave.models.diffusion.picture_denoiser import PictureDenoiser
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import Predict
from unweave.models.diffusion.weighting import WEIGHTINGS, Weighting
from unweave.models.encoder import Norm, plain_encoder, residual_encoder
from unweave.models.foundation import Foundation
from unweave.models.lift import Lift
from unweave.models.unet import (
    UNetShape,
    cross_attention_unet,
    drop_self_attention,
    from_patches,
    modulated_unet,
    time_width,
    to_patches,
)
from unweave.tensors import Images, Units

CITATION = """@inproceedings{yang2024encdiff,
  title     = {Diffusion Model with Cross Attention as an Inductive Bias for Disentanglement},
  author    = {Yang, Tao and Lan, Cuiling and Lu, Yan and Zheng, Nanning},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2024},
  note      = {arXiv:2402.09712}
}"""


class EncDiffSettings(NamedSettings):
    """Defaults are the released code's, but for `patch` (see `EncDiff`)."""

    name: Literal["encdiff"] = "encdiff"
    units: int = Field(20, ge=1, description="number of units N; the release has 20")
    tokens: Literal["scalar", "vector"] = Field(
        "scalar", description="one number per unit, lifted by an MLP, or a vector (EncDiff-V)"
    )
    token: int = Field(16, ge=1, description="width of a token; 16 in the release, 32 in the paper's text")
    condition: Literal["attention", "adagn"] = Field(
        "attention", description="cross-attention, or AdaGN as in the paper's ablation"
    )
    diffusion: bool = Field(
        True, description="false: no diffusion, the U-Net decodes the tokens from a learnt constant"
    )
    encoder: Literal["release", "paper"] = Field(
        "release", description="the released encoder, or the one of the paper's Table 8"
    )
    encoder_width: int = Field(128, ge=8, description="channels of the encoder (its first layer's for 'paper')")
    encoder_norm: Norm = Field("batch", description="norm of the released encoder: 'batch' or 'group'")
    encoder_halvings: int = Field(
        4, ge=1, le=6, description="strided layers of the released encoder; it ends best at 4 x 4 positions"
    )
    patch: int = Field(2, ge=1, description="space-to-depth of the image (or latent) before the U-Net, in pixels")
    channels: tuple[int, ...] = Field((64, 128, 256, 256), description="U-Net widths, fine to coarse")
    attention: tuple[bool, ...] = Field(
        (True, True, True, False), description="which levels attend; the middle always does"
    )
    self_attention: bool = Field(
        True, description="false: positions attend to the tokens alone, not to each other (AdaGN's always do)"
    )
    layers: int = Field(2, ge=1, description="residual blocks per level")
    heads: int = Field(8, ge=1, description="attention heads")
    groups: int = Field(32, ge=1, description="groups of the U-Net's GroupNorm")
    dropout: float = Field(0.0, ge=0, lt=1, description="in the U-Net; 0 in the release, 0.1 in the paper's table")
    schedule: noising.Schedule = Field(
        "sqrt_linear", description="noise schedule: 'sqrt_linear' (release), 'cosine' (paper) or 'linear'"
    )
    prediction: noising.Prediction = Field("eps", description="what the U-Net predicts: 'eps', 'v' or 'x0'")
    loss: Literal["l1", "l2"] = Field("l1", description="'l1' (release) or 'l2' (the paper's table)")
    weight: Weighting | Literal["balanced"] = Field(
        "uniform", description="loss weight over time: models/diffusion/weighting.py, or 'balanced' (balance.py there)"
    )
    weight_level: float = Field(1.0, gt=0, description="the level of that weight, an SNR: min(SNR, level) / level")
    first_time: int = Field(
        0, ge=0, le=950, description="times are drawn uniformly from first_time .. 999; samplers keep to them too"
    )
    average_all: bool = Field(False, description="average the encoder too (paper), not the U-Net alone (release)")


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "release": {
        "method": {},
        "training": {"images": 4_800_000, "batch": 128, "rate": 2.56e-4, "warmup": 1_280_000, "average": 0.9999},
    },
    "paper": {
        "method": {
            "token": 32, "schedule": "cosine", "loss": "l2", "dropout": 0.1,
            "encoder": "paper", "encoder_width": 64, "average_all": True,
        },
        "training": {"images": 4_800_000, "batch": 64, "rate": 1e-4, "warmup": 0, "average": 0.9999},
    },
    "release-vq": {
        "method": {"patch": 1},
        "foundation": {"autoencoder": {"recipe": {"method": {"name": "autoencoder"}, "preset": "release"}}},
        "data": {"size": 64},
        "training": {"images": 4_800_000, "batch": 128, "rate": 2.56e-4, "warmup": 1_280_000, "average": 0.9999},
    },
    "laptop": {
        "method": {
            "encoder_width": 64, "encoder_halvings": 3, "patch": 4,
            "channels": (32, 64), "attention": (True, False), "self_attention": False,
            "layers": 1, "heads": 4, "groups": 16,
            "schedule": "cosine", "prediction": "x0", "loss": "l2", "weight": "balanced", "first_time": 800,
        },
        "data": {"size": 32},
        "training": {
            "images": 120_000, "batch": 32, "optimiser": "soap", "rate": 3e-3, "betas": (0.95, 0.95),
            "warmup": 3_200, "decay": "late", "average": 0.998,
        },
    },
    "laptop-vq": {
        "method": {
            "encoder_width": 64, "encoder_halvings": 3, "patch": 1,
            "channels": (64, 112), "attention": (True, False), "layers": 1, "heads": 4, "groups": 16,
            "schedule": "cosine", "prediction": "x0", "loss": "l2", "weight": "balanced", "first_time": 800,
        },
        "foundation": {"autoencoder": {"recipe": {"method": {"name": "autoencoder"}, "preset": "laptop"}}},
        "data": {"size": 32},
        "training": {
            "images": 60_000, "batch": 32, "optimiser": "soap", "rate": 3e-3, "betas": (0.95, 0.95),
            "warmup": 3_200, "decay": "cosine", "average": 0.998,
        },
    },
    "laptop-64": {
        "method": {
            "encoder_width": 64, "patch": 4,
            "channels": (32, 64, 112), "attention": (False, True, False), "layers": 1, "heads": 4, "groups": 16,
            "schedule": "cosine", "prediction": "x0", "loss": "l2", "weight": "balanced", "first_time": 800,
        },
        "data": {"size": 64},
        "training": {
            "images": 300_000, "batch": 32, "optimiser": "soap", "rate": 3e-3, "betas": (0.95, 0.95),
            "warmup": 3_200, "decay": "late", "average": 0.998,
        },
    },
}  # fmt: skip
"""Settings by name; `laptop` and `laptop-64` are for images of 32 and 64 px on two cores, `-vq` for VQ latents."""


class EncDiff(Generative):
    """Loss: mean over the batch of w(SNR_t) · ‖target − U(x_t, t, S)‖, with S the tokens of x_0 (Eq. 4 of the paper).

    Encoder, lifts and U-Net are trained together and there is no other term. The units are the scalars (vectors
    for `tokens = "vector"`); scores use them raw, from the raw encoder in eval mode, as published.

    Deviations from the release. It works on 16 x 16 x 3 latents of a VQ autoencoder, as the presets `release-vq` and
    `laptop-vq` do (any foundation.autoencoder will); the other presets work on pixels (the paper reports pixel space as
    slightly better), folded by `patch`. The default patch is 2, by trial, of which there is no record: a network of few
    channels did not learn to predict the noise of large patches. The U-Net is diffusers' own: its down- and up-sampling
    is a convolution where the release has a residual block with the time embedding, which makes it 34.8 M parameters
    instead of 37.47 M (7 % fewer); attention, residual blocks and widths are the same. The encoder (1.164 M at 20
    units) and the lifts (0.210 M) are the release's.

    The `laptop` presets deviate further, to learn in minutes: x_0 prediction with the l2 loss, every noise level
    weighted to count the same (`balanced`), one-sided SOAP in place of AdamW, and no time before `first_time`, where
    the noised image says it all and the units learn nothing; samplers keep to the times that are left. `laptop` has
    cross-attention without the self-attention that stands before it in the release: with this network DCI's
    disentanglement on `sprites` is higher in the mean of three seeds (benchmarks/records/fast_recipe.md). The encoder
    runs in float32 also where the U-Net runs in bfloat16.
    """

    def __init__(self, settings: EncDiffSettings, foundation: Foundation) -> None:
        super().__init__()
        check_sizes(settings, foundation)
        self.settings = settings
        self.space = foundation.diffusion_space()
        channels, height, _ = self.space.shape
        dim = 1 if settings.tokens == "scalar" else settings.token
        if settings.encoder == "release":
            self.encoder = residual_encoder(
                foundation.shape,
                settings.units * dim,
                settings.encoder_width,
                settings.encoder_norm,
                settings.encoder_halvings,
            )
        else:
            self.encoder = plain_encoder(foundation.shape, settings.units * dim, settings.encoder_width)
        self.lift: nn.Module = Lift(settings.units, settings.token) if settings.tokens == "scalar" else nn.Identity()
        folded = channels * settings.patch**2
        shape = UNetShape(
            settings.channels, settings.attention, settings.layers, settings.heads, settings.groups, settings.dropout
        )
        if settings.condition == "attention":
            self.unet: Any = cross_attention_unet(height // settings.patch, folded, settings.token, shape)
            if not settings.self_attention:
                drop_self_attention(self.unet)
        else:
            self.unet = modulated_unet(height // settings.patch, folded, shape)
            self.modulation = nn.Linear(settings.units * settings.token, time_width(self.unet))
        if not settings.diffusion:
            self.canvas = nn.Parameter(torch.randn(1, folded, height // settings.patch, height // settings.patch))
        self.balance = Balance()
        self.process = Process(noising.scheduler_config(settings.schedule, settings.prediction))
        self.averaged = ("",) if settings.average_all else ("unet",)

    def players(self) -> list[Player]:
        return [Player("encdiff", self, [weight for weight in self.parameters() if weight.requires_grad])]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        s = self.settings
        x0 = to_patches(self.space.encode(batch.images), s.patch)
        tokens = self.lift(self.encode(batch.to_encode))
        if not s.diffusion:
            error = noising.distance(s.loss, self.decode_without_diffusion(tokens), x0)
            return Loss(error.mean(), {"reconstruction": error.mean()})
        t, eps, x_t = self.process.noised(x0, rng, s.first_time)
        abar = self.process.abar[t]
        error = noising.distance(s.loss, self.predict(x_t, t, tokens), noising.target(s.prediction, x0, eps, abar))
        if s.weight == "balanced":
            weighted = self.balance(error, t) * error
        else:
            weighted = WEIGHTINGS[s.weight](noising.snr(abar), s.weight_level) * error
        return Loss(weighted.mean(), {"denoising": weighted.mean(), "unweighted": error.mean()})

    def encode(self, images: Images) -> Units:
        with torch.autocast(images.device.type, enabled=False):  # units keep their 24 bits
            return self.encoder(images).unflatten(1, (self.settings.units, -1))

    def start(self, count: int, rng: torch.Generator) -> Start:
        depth, side, _ = self.space.shape
        side //= self.settings.patch
        return self.process.start((count, depth * self.settings.patch**2, side, side), rng)

    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        if not self.settings.diffusion:
            return self.start(len(images), torch.Generator().manual_seed(0))
        x0 = to_patches(self.space.encode(images), self.settings.patch)
        return self.process.invert(self.predictor(self.lift(units)), x0, sampling, self.settings.first_time)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        tokens = self.lift(units)
        if not self.settings.diffusion:
            x0 = self.decode_without_diffusion(tokens)
        else:
            x0 = self.process.sample(self.predictor(tokens), start, sampling, rng, self.settings.first_time)
        return self.space.decode(from_patches(x0, self.settings.patch)).clamp(-1, 1).float()

    def predict(self, x_t: Images, t: Tensor, tokens: Float[Tensor, "batch unit token"]) -> Images:
        """The U-Net's output for noised images; t is one time for all or one per image."""
        t = t.to(x_t.device).expand(x_t.shape[0])
        if self.settings.condition == "attention":
            return self.unet(x_t, t, tokens, return_dict=False)[0]
        return self.unet(x_t, t, class_labels=self.modulation(tokens.flatten(1)), return_dict=False)[0]

    def decode_without_diffusion(self, tokens: Float[Tensor, "batch unit token"]) -> Images:
        """What the U-Net makes of the tokens alone, from a learnt constant input at time 0."""
        canvas = self.canvas.expand(tokens.shape[0], -1, -1, -1)
        return self.predict(canvas, torch.zeros((), dtype=torch.long), tokens)

    def predictor(self, tokens: Float[Tensor, "batch unit token"]) -> Predict:
        """The prediction as samplers ask for it."""
        return lambda x_t, t: self.predict(x_t, t, tokens).float()


def attention_maps(
    method: EncDiff, images: Images, start: Start, sampling: Sampling
) -> Float[Tensor, "batch unit rows columns"]:
    """Where each unit's token is attended to while the images are drawn from their own units.

    The softmax over tokens, averaged over heads, layers (scaled to the finest level) and sampling steps, as in the
    paper's figure; at every position the maps of all units sum to one. Raises ValueError for AdaGN, which has none.
    """
    from diffusers import UNet2DConditionModel

    unet = method.unet
    if not isinstance(unet, UNet2DConditionModel) or not method.settings.diffusion:
        raise ValueError("attention maps need cross-attention and diffusion: this run was trained without.")
    recorder, processors = RecordingAttention(), unet.attn_processors
    unet.set_attn_processor({name: recorder if "attn2" in name else own for name, own in processors.items()})
    try:
        with torch.inference_mode():
            method.decode(method.encode(images), start, sampling)
    finally:
        unet.set_attn_processor(processors)
    side = method.space.shape[1] // method.settings.patch
    total = torch.zeros(len(images), method.settings.units, side, side, device=images.device)
    for attention in recorder.maps:  # (batch, position, unit)
        coarse = round(attention.shape[1] ** 0.5)
        square = attention.transpose(1, 2).unflatten(2, (coarse, coarse))
        total += nn.functional.interpolate(square, size=(side, side), mode="bilinear")
    return total / len(recorder.maps)


def picture_denoiser(method: EncDiff, units: Units) -> PictureDenoiser:
    """Its U-Net, told the units of one picture. Raises ValueError for a run without diffusion."""
    if not method.settings.diffusion:
        raise ValueError("this run was trained without diffusion, so it has no denoiser.")
    with torch.no_grad():
        tokens = method.lift(units)
    space, patch, (depth, side, _) = method.space, method.settings.patch, method.space.shape

    def predict(x_t: Images, t: Tensor) -> Images:
        return method.predict(x_t, t, tokens.expand(x_t.shape[0], -1, -1)).float()

    return PictureDenoiser(
        method.process,
        predict,
        lambda images: to_patches(space.encode(images), patch),
        lambda folded: space.soft_decode(from_patches(folded, patch)),
        (depth * patch**2, side // patch, side // patch),
        method.settings.first_time,
    )


def check_sizes(settings: EncDiffSettings, foundation: Foundation) -> None:
    """Raises ValueError where settings and images do not fit together."""
    _, height, width = foundation.diffusion_space().shape
    levels = len(settings.channels)
    multiple = settings.patch * 2 ** (levels - 1)
    if height != width or height % multiple:
        raise ValueError(
            f"EncDiff needs square images (latents, on an autoencoder) whose side is a multiple of {multiple} "
            f"(patch {settings.patch}, {levels} levels), got {height} x {width}; set data.size or method.patch."
        )
    if len(settings.attention) != levels:
        raise ValueError(
            f"method.attention must have one value per level of method.channels ({levels}), "
            f"got {len(settings.attention)}."
        )
    if any(c % settings.groups or c % settings.heads for c in settings.channels):
        raise ValueError(
            f"every U-Net width of method.channels must be divisible by method.groups ({settings.groups}) "
            f"and method.heads ({settings.heads}), got {settings.channels}."
        )


def build(settings: EncDiffSettings, foundation: Foundation) -> EncDiff:
    return EncDiff(settings, foundation)


METHOD = MethodDefinition(
    settings=EncDiffSettings,
    build=build,
    presets=PRESETS,
    citation=CITATION,
    extra_verbs={"attention": attention_maps},
    denoiser=picture_denoiser,
    takes_views=True,
)
