"""DisDiff: the score field of a trained diffusion model, split into one sub-field per discovered factor.

Yang, Wang, Lu, Zheng, "DisDiff: unsupervised disentanglement of diffusion probabilistic models", NeurIPS 2023,
arXiv:2301.13721. Stands on a frozen unconditional denoiser, of pixels or of latents (foundation.denoiser).
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from unweave.config import NamedSettings
from unweave.method import Batch, Generative, Loss, MethodDefinition, Player, Sampling, Start
from unweave.models.diffusion.balance import Balance
from unweave.models.diffusion.noising import STEPS, add_noise, clean_of, distance, mean_shift, per_image, score_shift
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import Predict
from unweave.models.encoder import Norm, residual_encoder
from unweave.models.foundation import Foundation, FrozenDenoiser
from unweave.models.frozen import FrozenNetwork
from unweave.models.gradient_decoder import AttentionDecoder, GradientDecoder, UNetFeatures, check_splittable
from unweave.models.unet import time_width
from unweave.tensors import Images, PerImage, Times, Units

CITATION = """@inproceedings{yang2023disdiff,
  title     = {{DisDiff}: Unsupervised Disentanglement of Diffusion Probabilistic Models},
  author    = {Yang, Tao and Wang, Yuwang and Lu, Yan and Zheng, Nanning},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2023},
  note      = {arXiv:2301.13721}
}"""

Fields = Float[Tensor, "batch chosen depth rows columns"]
"""A correction of the noise prediction for every unit, or for those that are asked for."""


class DisDiffSettings(NamedSettings):
    """Defaults are the released code's, but for `units` (see `DisDiff`) and `weight`, whose flag there is 1."""

    name: Literal["disdiff"] = "disdiff"
    units: int = Field(10, ge=2, description="number of units N; 6, 10 and 20 all occur in release and papers")
    dim: int = Field(32, ge=1, description="numbers per unit")
    encoder_width: int = Field(128, ge=8, description="channels of the encoder")
    encoder_norm: Norm = Field("batch", description="norm of the encoder: 'batch' (release) or 'group'")
    encoder_halvings: int = Field(4, ge=1, le=6, description="strided layers of the encoder; it ends best at 4 x 4")
    weight: float = Field(
        0.05, ge=0, description="lambda of the disentangling terms: 0.05, or 0.01 for MPI3D; 0 leaves them out"
    )
    weight_by: Literal["latent", "image", "constant"] = Field(
        "latent",
        description="the terms of an image also weigh its edit's mean square, in latents ('Z') or pixels ('IM')",
    )
    weight_after: int = Field(
        0, ge=0, description="images seen before the terms begin; lambda then rises over as many; 0: at once (release)"
    )
    invariance: bool = Field(True, description="the term that keeps the other units")
    variance: bool = Field(True, description="the term that moves the chosen unit")
    identity: Literal["orthogonal", "free", "none"] = Field(
        "orthogonal", description="embedding of the unit's number: rows of an orthogonal matrix, learnt freely, or none"
    )
    identity_width: int = Field(128, ge=1, description="size of the orthogonal matrix, at least the number of units")
    condition: Literal["scale_shift", "attention"] = Field(
        "scale_shift", description="how a unit conditions its field: by scale and shift, or by cross-attention"
    )
    loss: Literal["l1", "l2"] = Field("l1", description="of the reconstruction: 'l1' (release) or 'l2'")
    balance: bool = Field(
        False,
        description="true: the reconstruction counts the same at every noise level; false: not weighted (release)",
    )
    first_time: int = Field(
        0,
        ge=0,
        le=950,
        description="times are drawn uniformly from first_time .. 999; before it the frozen model draws alone",
    )
    chunk: int = Field(0, ge=0, description="units per pass of the gradient decoder; 0 is all of them at once")
    piece: int = Field(
        0,
        ge=0,
        description="images whose activations are held at a time; 0 is the batch; same gradients, twice as slow",
    )


LAPTOP = {
    "units": 10, "dim": 8, "encoder_width": 64, "encoder_halvings": 3,
    "loss": "l2", "balance": True, "first_time": 500, "weight": 6.0, "weight_after": 7_500,
}  # fmt: skip
FAST = {
    "images": 30_000, "batch": 8, "optimiser": "soap", "rate": 3e-3, "betas": (0.95, 0.95), "warmup": 3_200,
    "decay": "cosine", "average": 0.998, "clip": 1.0,
}  # fmt: skip


def _base(preset: str) -> dict[str, Any]:
    """The denoiser of this preset, with the recipe that makes it."""
    return {"denoiser": {"recipe": {"method": {"name": "denoiser"}, "preset": preset}}}


RELEASE = {"images": 4_800_000, "batch": 128, "rate": 2.56e-4, "warmup": 1_280_000, "average": 0.9999}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "release": {"method": {}, "foundation": _base("release"), "data": {"size": 64}, "training": RELEASE},
    "release-6": {"method": {"units": 6}, "foundation": _base("release"), "data": {"size": 64}, "training": RELEASE},
    "release-20": {"method": {"units": 20}, "foundation": _base("release"), "data": {"size": 64}, "training": RELEASE},
    "release-mpi3d": {
        "method": {"weight": 0.01}, "foundation": _base("release"), "data": {"size": 64}, "training": RELEASE,
    },
    "release-kl": {"method": {}, "foundation": _base("release-kl"), "data": {"size": 64}, "training": RELEASE},
    "release-pixels": {
        "method": {"weight_by": "image"}, "foundation": _base("pixels-64"), "data": {"size": 64}, "training": RELEASE,
    },
    "laptop": {
        "method": LAPTOP, "foundation": _base("laptop-kl"), "data": {"size": 32}, "training": FAST,
    },
    "laptop-vq": {
        "method": LAPTOP, "foundation": _base("laptop-vq"), "data": {"size": 32}, "training": FAST,
    },
    "laptop-pixels": {
        "method": {**LAPTOP, "weight_by": "image"}, "foundation": _base("laptop"), "data": {"size": 32},
        "training": FAST,
    },
}  # fmt: skip
"""The releases differ in N and in lambda: 0.05 on Shapes3D, Cars3D and CelebA, 0.01 on MPI3D. `-kl` and `-pixels` are
the paper's KL and IM variants. The laptop presets are for 32 px and two cores, with smaller vectors; `laptop` stands on
the KL autoencoder, which rebuilds images better than VQ after a few minutes of training."""


class DisDiff(Generative):
    """Loss: L_r + mean of w (L_in + L_va), with one unit c drawn for each image.

    eps_0 is the frozen model's noise prediction, G_k the field of unit k, E the encoder, D the frozen decoder.

    - L_r = mean | eps - (eps_0 + s_t Σ_k G_k) |  (`mean_shift`, as PDAE; no weight over time)
    - eps_c = eps_0 + d_t G_c  (`score_shift`); z0 and z0_c are the clean latents that eps_0 and eps_c imply
    - L_in, L_va: `invariance` and `variance` of the codes of D(z0) and D(z0_c), by a frozen twin of the encoder
    - w = lambda · mean (z0 - z0_c)², without gradient: 0 as long as the fields are, so the terms switch themselves on

    The units are vectors, scored by the first principal component of each, from the raw encoder, as published.
    N of the headline row is ambiguous (6 in the configs, 10 in result paths, 20 in EncDiff's text): 10 here.

    Deviations: the gradient decoder is diffusers' blocks, whose last convolutions begin at zero; the frozen model uses
    its averaged weights, where the release's flag for them is inverted and loads the raw ones; all fields come from one
    batched pass, and so does that of unit c, where the release runs them one after the other. The laptop presets change
    the objective as EncDiff's do, to learn in minutes: l2, every noise level counting the same (`balance`), and SOAP.
    """

    def __init__(self, settings: DisDiffSettings, foundation: Foundation) -> None:
        super().__init__()
        self.denoiser = foundation.required_denoiser("DisDiff")
        check_identities(settings)
        check_splittable(self.denoiser.unet)
        self.settings = settings
        self.shape = foundation.shape
        self.space = foundation.diffusion_space()
        self.encoder = build_encoder(settings, foundation.shape)
        self.twin = FrozenNetwork(build_encoder(settings, foundation.shape))
        self.field = SubFields(settings, self.denoiser)
        self.balance = Balance()
        self.process = Process({**self.denoiser.process.config, "prediction_type": "epsilon"})
        self.averaged = ("field",)

    def players(self) -> list[Player]:
        trained = [*self.encoder.parameters(), *self.field.parameters()]
        return [Player("disdiff", self, trained, piece=self.settings.piece)]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        images, s = batch.images, self.settings
        units = self.encode(images)
        self.copy_to_twin()
        t, eps, x_t = self.process.noised(self.space.encode(images), rng, s.first_time)
        c = torch.randint(s.units, (len(images),), generator=rng, device=rng.device).to(images.device)
        if s.piece == 0:
            error, l_in, l_va, weight = self.terms(x_t, eps, t, c, units)
        else:
            pieces = zip(*(tensor.split(s.piece) for tensor in (x_t, eps, t, c, units)))
            terms = [checkpoint(self.terms, *piece, use_reentrant=False) for piece in pieces]
            error, l_in, l_va, weight = (torch.cat(parts) for parts in zip(*terms))
        weighted = self.balance(error, t) * error if s.balance else error
        weight = weight * self.share(batch.seen)
        total = weighted.mean() + (weight * (l_in * s.invariance + l_va * s.variance)).mean()
        logged = {"reconstruction": error.mean()}
        if s.weight > 0:
            logged |= {"invariance": l_in.mean(), "variance": l_va.mean(), "weight": weight.mean()}
        return Loss(total, logged)

    def terms(
        self, x_t: Images, eps: Images, t: Times, c: Int[Tensor, "batch"], units: Units
    ) -> tuple[PerImage, PerImage, PerImage, PerImage]:
        """The error of eps_hat, L_in, L_va and w of each image."""
        abar = self.process.abar[t]
        features, eps_0 = self.denoiser.features_and_noise(x_t, t)
        fields = self.field(features, units)
        eps_hat = eps_0 + per_image(mean_shift(self.process.abar, t)) * fields.sum(1)
        error = distance(self.settings.loss, eps_hat, eps)
        if self.settings.weight == 0:
            zero = error.new_zeros(len(t))
            return error, zero, zero, zero
        eps_c = eps_0 + per_image(score_shift(abar)) * fields[torch.arange(len(c), device=c.device), c]
        clean, clean_c = clean_of(eps_0, x_t, abar), clean_of(eps_c, x_t, abar)
        with torch.no_grad():
            image = self.space.soft_decode(clean).float()
            before = self.reencode(image)
        image_c = self.space.soft_decode(clean_c).float()
        after = self.reencode(image_c)
        l_in, l_va = invariance(before, after, c), variance(units.detach(), before, after, c)
        if self.settings.weight_by == "constant":
            size = error.new_ones(len(t))
        elif self.settings.weight_by == "image":
            size = (image - image_c).detach().square().mean((1, 2, 3))
        else:
            size = (clean - clean_c).detach().square().mean((1, 2, 3))
        return error, l_in, l_va, self.settings.weight * size

    def share(self, seen: int) -> float:
        """The share of lambda that is in force."""
        after = self.settings.weight_after
        return 1.0 if after == 0 else min(1.0, max(0.0, seen / after - 1))

    @torch.no_grad()
    def copy_to_twin(self) -> None:
        """The twin becomes the encoder as it is; in place, so that nothing is allocated."""
        for ours, theirs in zip(self.encoder.state_dict().values(), self.twin.network.state_dict().values()):
            theirs.copy_(ours)

    def encode(self, images: Images) -> Units:
        with torch.autocast(images.device.type, enabled=False):
            return self.encoder(images).unflatten(1, (self.settings.units, -1))

    def reencode(self, images: Images) -> Units:
        """The units by the twin: frozen and in eval mode, with a gradient for the images."""
        with torch.autocast(images.device.type, enabled=False):
            return self.twin.network(images).unflatten(1, (self.settings.units, -1))

    def start(self, count: int, rng: torch.Generator) -> Start:
        return self.process.start((count, *self.space.shape), rng)

    def invert(self, images: Images, units: Units, sampling: Sampling) -> Start:
        return self.process.invert(self.predictor(units, None), self.space.encode(images), sampling)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.draw(units, start, sampling, None, rng)

    def draw(
        self,
        units: Units,
        start: Start,
        sampling: Sampling,
        chosen: Sequence[int] | None,
        rng: torch.Generator | None = None,
    ) -> Images:
        """Images that only the fields of the chosen units (all if None) guide; the rest is the frozen model's own."""
        latents = self.process.sample(self.predictor(units, chosen), start, sampling, rng)
        return self.space.decode(latents).float().clamp(-1, 1)

    def predictor(self, units: Units, chosen: Sequence[int] | None) -> Predict:
        """The noise prediction as samplers ask for it, at one time for all images: eps_0 + d_t Σ G_k."""

        def predict(x_t: Images, t: Tensor) -> Images:
            times = t.to(x_t.device).expand(len(x_t))
            features, eps_0 = self.denoiser.features_and_noise(x_t, times)
            if int(t.max()) < self.settings.first_time:  # a time that no field was trained for
                return eps_0
            fields = self.field(features, units, chosen)
            return eps_0 + per_image(score_shift(self.process.abar[times])) * fields.sum(1)

        return predict


class SubFields(nn.Module):
    """G: the gradient decoder, what conditions it on a unit's vector, and what tells it which unit it is."""

    def __init__(self, settings: DisDiffSettings, denoiser: FrozenDenoiser) -> None:
        super().__init__()
        width = time_width(denoiser.unet)
        decoder = GradientDecoder if settings.condition == "scale_shift" else AttentionDecoder
        self.decoder = decoder(denoiser.unet, width)
        self.condition = nn.Linear(settings.dim, width)
        self.units, self.chunk, self.kind = settings.units, settings.chunk, settings.identity
        if self.kind == "orthogonal":
            self.generator = nn.Parameter(torch.randn(settings.identity_width, settings.identity_width))
            self.name = nn.Linear(settings.identity_width, width)
        elif self.kind == "free":
            self.embedding = nn.Parameter(torch.randn(settings.units, settings.dim))
            self.name = nn.Linear(settings.dim, width)

    def identities(self) -> Float[Tensor, "unit time"] | float:
        """What is added to the embedding of the time for each unit."""
        if self.kind == "orthogonal":
            return self.name(orthogonal(self.generator)[: self.units])
        return self.name(self.embedding) if self.kind == "free" else 0.0

    def forward(self, features: UNetFeatures, units: Units, chosen: Sequence[int] | None = None) -> Fields:
        """The field of every chosen unit (all if None), in passes over `chunk` units of all images."""
        k = torch.arange(self.units) if chosen is None else torch.tensor(list(chosen), dtype=torch.long)
        if len(k) == 0:
            return features.bottom.new_zeros(len(units), 0, 1, 1, 1)  # nothing is added
        identities = torch.zeros(self.units, 1, device=units.device) + self.identities()
        passes = [self.one_pass(features, units, identities, part) for part in k.split(self.chunk or self.units)]
        return torch.cat(passes, 1).float()

    def one_pass(self, features: UNetFeatures, units: Units, identities: Tensor, k: Tensor) -> Fields:
        """The fields of the units with the numbers k, all at once."""
        k = k.to(units.device)
        embedding = (features.embedding.unsqueeze(1) + identities[k]).flatten(0, 1)  # (batch · unit, time)
        condition = self.condition(units[:, k]).flatten(0, 1)
        fields = self.decoder(features.repeated(len(k)), embedding, condition)
        return fields.unflatten(0, (len(units), len(k)))


def orthogonal(generator: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """exp(A - A^T): an orthogonal matrix, whatever A is (in float32)."""
    with torch.autocast(generator.device.type, enabled=False):
        return torch.linalg.matrix_exp(generator - generator.T)


def invariance(before: Units, after: Units, c: Int[Tensor, "batch"]) -> PerImage:
    """L_in: cross-entropy of softmax_k ‖before_k - after_k‖ with c. Only the unit whose field was added may move."""
    return functional.cross_entropy(unit_distances(before, after), c, reduction="none")


def variance(truth: Units, before: Units, after: Units, c: Int[Tensor, "batch"]) -> PerImage:
    """L_va: cross-entropy of softmax_k (‖before_k - truth_k‖ - ‖after_k - truth_k‖) with c, which comes closer."""
    return functional.cross_entropy(unit_distances(before, truth) - unit_distances(after, truth), c, reduction="none")


def unit_distances(one: Units, other: Units) -> Float[Tensor, "batch unit"]:
    """Euclidean distance of each unit; its gradient is 0 where they are equal."""
    return torch.linalg.vector_norm(one - other, dim=2)


def build_encoder(settings: DisDiffSettings, shape: tuple[int, int, int]) -> nn.Module:
    outputs = settings.units * settings.dim
    return residual_encoder(shape, outputs, settings.encoder_width, settings.encoder_norm, settings.encoder_halvings)


def field_maps(
    method: DisDiff, images: Images, times: Sequence[int], seed: int = 0
) -> Float[Tensor, "batch unit time rows columns"]:
    """|d_t G_k|, the mean over channels, for images noised to these times with one noise each: where each unit acts."""
    rng = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        units, z0 = method.encode(images), method.space.encode(images)
        eps = torch.randn(z0.shape, generator=rng).to(z0.device)
        maps = []
        for time in times:
            if not 0 <= time < STEPS:
                raise ValueError(f"times must be in 0..{STEPS - 1}, got {time}.")
            t = torch.full((len(images),), time, device=images.device)
            abar = method.process.abar[t]
            features, _ = method.denoiser.features_and_noise(add_noise(z0, eps, abar), t)
            size = method.field(features, units).abs().mean(2)  # (batch, unit, rows, columns)
            maps.append(size * per_image(-score_shift(abar)))
    return torch.stack(maps, 2)


def draw_alone(method: DisDiff, units: Units, start: Start, sampling: Sampling, chosen: Sequence[int]) -> Images:
    """Images that the fields of the chosen units alone guide."""
    return method.draw(units, start, sampling, chosen)


def check_identities(settings: DisDiffSettings) -> None:
    """Raises ValueError where settings do not fit together."""
    if settings.identity == "orthogonal" and settings.units > settings.identity_width:
        raise ValueError(
            f"method.identity_width ({settings.identity_width}) must be at least method.units ({settings.units})."
        )


def build(settings: DisDiffSettings, foundation: Foundation) -> DisDiff:
    return DisDiff(settings, foundation)


METHOD = MethodDefinition(
    settings=DisDiffSettings,
    build=build,
    presets=PRESETS,
    citation=CITATION,
    extra_verbs={"fields": field_maps, "alone": draw_alone},
)
