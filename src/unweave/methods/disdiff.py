"""DisDiff: the score field of a trained diffusion model, split into one sub-field per discovered factor.

Yang, Wang, Lu, Zheng, "DisDiff: unsupervised disentanglement of diffusion probabilistic models", NeurIPS 2023,
arXiv:2301.13721. Stands on a frozen unconditional denoiser, of pixels or of latents (foundation.denoiser).
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from unweave.config import NamedSettings, SettingsError
from unweave.method import Batch, Generative, Loss, MethodDefinition, Player, Sampling, Start
from unweave.models.diffusion.balance import Balance
from unweave.models.diffusion.noising import (
    STEPS,
    add_noise,
    clean_of,
    clean_shift,
    distance,
    mean_shift,
    per_image,
    score_shift,
)
from unweave.models.diffusion.process import Process
from unweave.models.diffusion.sampling import Predict
from unweave.models.encoder import Norm, residual_encoder
from unweave.models.foundation import Foundation, FrozenDenoiser, SplitDenoiser
from unweave.models.frozen import FrozenNetwork
from unweave.models.gathered import gather
from unweave.models.gradient_decoder import AttentionDecoder, GradientDecoder, UNetFeatures, check_splittable
from unweave.models.latents import Latent, Space
from unweave.models.unet import time_width
from unweave.tensors import Images, PerImage, Times, Units

CITATION = """@inproceedings{yang2023disdiff,
  title     = {{DisDiff}: Unsupervised Disentanglement of Diffusion Probabilistic Models},
  author    = {Yang, Tao and Wang, Yuwang and Lu, Yan and Zheng, Nanning},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2023},
  note      = {arXiv:2301.13721}
}"""

LEAST = 1e-4
"""Added to squared distances and spreads of codes, so that a unit that says nothing has no share of infinity."""

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
    weight_by: Literal["latent", "bounded", "image", "constant"] = Field(
        "latent",
        description="the terms of an image also weigh its edit's mean square, in latents ('Z'; 'bounded': at most that "
        "of the frozen model's error) or pixels ('IM')",
    )
    weight_after: int = Field(
        0, ge=0, description="images seen before the terms begin; lambda then rises over as many; 0: at once (release)"
    )
    invariance: bool = Field(True, description="the term that keeps the other units")
    variance: bool = Field(True, description="the term that moves the chosen unit")
    field: Literal["score", "clean"] = Field(
        "score",
        description="what a field adds: a score (release), or a shift of the clean image, whose error the "
        "reconstruction then is",
    )
    distances: Literal["raw", "relative"] = Field(
        "raw",
        description="in the terms: as they are, in cross-entropies (release), or squared and relative to each unit's "
        "spread, in shares",
    )
    purify: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="abar to which pictures are noised again, and denoised by the frozen model, before the terms read "
        "them, such as 0.5; 0: they are read as they are (release)",
    )
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
SEPARATING = {
    "weight": 0.3, "field": "clean", "distances": "relative", "purify": 0.5,
    "encoder_norm": "group", "loss": "l2", "first_time": 500,
}  # fmt: skip
"""Ours (see `DisDiff`), found on small pictures whose factors add."""
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
    "separating": {
        "method": {**SEPARATING, "units": 10, "dim": 2, "encoder_width": 64, "encoder_halvings": 3, "piece": 8},
        "foundation": _base("laptop"), "data": {"size": 32},
        "training": {**FAST, "batch": 32, "optimiser": "adamw", "betas": (0.9, 0.98)},
    },
}  # fmt: skip
"""The releases differ in N and in lambda: 0.05 on Shapes3D, Cars3D and CelebA, 0.01 on MPI3D. `-kl` and `-pixels` are
the paper's KL and IM variants. The laptop presets are for 32 px and two cores, with smaller vectors; `laptop` stands on
the KL autoencoder, which rebuilds images better than VQ after a few minutes of training. `separating` works on pixels,
with a batch for the spread of units: its pieces hold a quarter of the activations, 5 GB of ten fields for 32 images."""


class Networks(NamedTuple):
    encoder: nn.Module  # images -> units · dim numbers
    twin: nn.Module  # another of the same shape
    field: nn.Module  # (features of the denoiser, units, numbers of the chosen ones or None) -> `Fields`


class Drawn(NamedTuple):
    """What is random in a step, and the latents."""

    x0: Images
    x_t: Images
    eps: Images
    t: Times
    c: Int[Tensor, "batch"]  # the unit whose field is added
    again: Images  # the noise of `purify`


class DisDiff(Generative):
    """Loss: L_r + mean of w (L_in + L_va), with one unit c drawn for each image.

    eps_0 is the frozen model's noise prediction, G_k the field of unit k, E the encoder, D the frozen decoder.

    - L_r = mean | eps - (eps_0 + s_t Σ_k G_k) |  (`mean_shift`, as PDAE; no weight over time)
    - eps_c = eps_0 + d_t G_c  (`score_shift`); z0 and z0_c are the clean latents that eps_0 and eps_c imply
    - L_in, L_va: `invariance` and `variance` of the codes of D(z0) and D(z0_c), by a frozen twin of the encoder
    - w = lambda · mean (z0 - z0_c)², without gradient: 0 as long as the fields are, so the terms switch themselves on

    The preset `separating` is ours. Its fields shift the clean latent, z0_c = z0 + G_c; x is the latent of the image:

    - L_r = mean (x - (z0 + Σ_k G_k))²  (`field`): the size that the terms have beside it stays what lambda says, while
      errors of the noise grow and fall with the time
    - L_in, L_va: `relative_invariance` and `relative_variance` (`distances`). The cross-entropies do not know the
      scale of the codes: raw distances are so small that the softmax is flat where edits are clean already, and the
      terms fall as codes grow
    - the twin reads pictures that were noised again to `purify` and denoised by the frozen model, the same noise for
      both, with the gradient through it: a field can then not write a mark that only the twin sees
    - GroupNorm in the encoder: the twin is in eval mode, and with BatchNorm its codes and the true ones have different
      statistics

    Where edits explode (their weight grows with them), `weight_by=bounded` has w = lambda · min(mean (z0 - z0_c)²,
    mean (x - z0)²): an edit that is larger than all there is to explain does not make its terms count more. The preset
    has it not: it separates less where nothing explodes.

    On shades of separate areas it helped for most seeds, on hues of the same it did harm; on dots that move in lanes
    the sum of fields separates without any term, and raw distances keep swaps cleaner (docs/disdiff.md): try `weight=0`
    and `distances=raw purify=0` beside it. Neither form says anything of factors that do not add: at late times a sum
    of fields, each of which sees one vector, cannot draw "this colour at that place", so the reconstruction itself asks
    for mixed units.

    The units are vectors, scored by the first principal component of each, from the raw encoder, as published.
    N of the headline row is ambiguous (6 in the configs, 10 in result paths, 20 in EncDiff's text): 10 here.

    Deviations: the gradient decoder is diffusers' blocks, whose last convolutions begin at zero; the frozen model uses
    its averaged weights, where the release's flag for them is inverted and loads the raw ones; all fields come from one
    batched pass, and so does that of unit c, where the release runs them one after the other. The laptop presets change
    the objective as EncDiff's do, to learn in minutes: l2, every noise level counting the same (`balance`), and SOAP.
    """

    def __init__(self, settings: DisDiffSettings, denoiser: SplitDenoiser, space: Space, networks: Networks) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.settings = settings
        self.space = space
        self.encoder = networks.encoder
        self.twin = FrozenNetwork(networks.twin)
        self.field = networks.field
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
        drawn = self.draw_noise(images, rng)
        spread = unit_spread(units) if s.distances == "relative" else units.new_ones(s.units)
        if s.piece == 0:
            error, l_in, l_va, weight = self.terms(drawn, units, spread)
        else:
            pieces = zip(map(Drawn._make, zip(*(each.split(s.piece) for each in drawn))), units.split(s.piece))
            terms = [checkpoint(self.terms, *piece, spread, use_reentrant=False) for piece in pieces]
            error, l_in, l_va, weight = (torch.cat(parts) for parts in zip(*terms))
        weighted = self.balance(error, drawn.t) * error if s.balance else error
        weight = weight * self.share(batch.seen)
        total = weighted.mean() + (weight * (l_in * s.invariance + l_va * s.variance)).mean()
        logged = {"reconstruction": error.mean()}
        if s.weight > 0:
            logged |= {"invariance": l_in.mean(), "variance": l_va.mean(), "weight": weight.mean()}
        return Loss(total, logged)

    def draw_noise(self, images: Images, rng: torch.Generator) -> Drawn:
        x0 = self.space.encode(images)
        t, eps, x_t = self.process.noised(x0, rng, self.settings.first_time)
        c = torch.randint(self.settings.units, (len(images),), generator=rng, device=rng.device).to(images.device)
        if self.settings.purify == 0:
            return Drawn(x0, x_t, eps, t, c, eps)
        return Drawn(x0, x_t, eps, t, c, torch.randn(eps.shape, generator=rng, device=rng.device).to(images.device))

    def terms(
        self, drawn: Drawn, units: Units, spread: Float[Tensor, "unit"]
    ) -> tuple[PerImage, PerImage, PerImage, PerImage]:
        """The error of the reconstruction, L_in, L_va and w of each image."""
        (x0, x_t, eps, t, c, again), s = drawn, self.settings
        abar = self.process.abar[t]
        features, eps_0 = self.denoiser.features_and_noise(x_t, t)
        fields, clean = self.field(features, units), clean_of(eps_0, x_t, abar)
        if s.field == "clean":
            error = distance(s.loss, clean + fields.sum(1), x0)
        else:
            error = distance(s.loss, eps_0 + per_image(mean_shift(self.process.abar, t)) * fields.sum(1), eps)
        if s.weight == 0:
            zero = error.new_zeros(len(t))
            return error, zero, zero, zero
        field = fields[torch.arange(len(c), device=c.device), c]
        if s.field == "clean":
            clean_c = clean + field
        else:
            clean_c = clean_of(eps_0 + per_image(score_shift(abar)) * field, x_t, abar)
        with torch.no_grad():
            image = self.picture(clean, again)
            before = self.reencode(image)
        image_c = self.picture(clean_c, again)
        after = self.reencode(image_c)
        if s.distances == "relative":
            l_in = relative_invariance(before, after, c, spread)
            l_va = relative_variance(units.detach(), before, after, c, spread)
        else:
            l_in, l_va = invariance(before, after, c), variance(units.detach(), before, after, c)
        if s.weight_by == "constant":
            size = error.new_ones(len(t))
        elif s.weight_by == "image":
            size = (image - image_c).detach().square().mean((1, 2, 3))
        else:
            size = (clean - clean_c).detach().square().mean((1, 2, 3))
        if s.weight_by == "bounded":
            size = size.minimum((x0 - clean).square().mean((1, 2, 3)))
        return error, l_in, l_va, s.weight * size

    def picture(self, clean: Latent, again: Latent) -> Images:
        """What the terms read of a clean latent: its image, after noising and denoising with `purify`."""
        if self.settings.purify > 0:
            time = int((self.process.abar - self.settings.purify).abs().argmin())
            t = torch.full((len(clean),), time, device=clean.device)
            clean = self.denoiser.clean(add_noise(clean, again, self.process.abar[t]), t)
        return self.space.soft_decode(clean).float()

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
        """The noise prediction as samplers ask for it, at one time for all images: eps_0 and the shift by Σ G_k."""
        shift = score_shift if self.settings.field == "score" else clean_shift

        def predict(x_t: Images, t: Tensor) -> Images:
            times = t.to(x_t.device).expand(x_t.shape[0])
            features, eps_0 = self.denoiser.features_and_noise(x_t, times)
            if int(t.max()) < self.settings.first_time:  # a time that no field was trained for
                return eps_0
            fields = self.field(features, units, chosen)
            return eps_0 + per_image(shift(self.process.abar[times])) * fields.sum(1)

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


def relative_invariance(
    before: Units, after: Units, c: Int[Tensor, "batch"], spread: Float[Tensor, "unit"]
) -> PerImage:
    """-log(d_c² / Σ_k d_k²), d_k² = ‖before_k - after_k‖² / spread_k: of the chosen unit's share of all that moves.

    Between 0, where it moves alone, and log of the number of units where all move by as much of their spread.
    """
    moved = (before - after).square().sum(2) / spread + LEAST
    return -(of_unit(moved, c) / moved.sum(1)).log()


def relative_variance(
    truth: Units, before: Units, after: Units, c: Int[Tensor, "batch"], spread: Float[Tensor, "unit"]
) -> PerImage:
    """‖after_c - truth_c‖² / (‖before_c - truth_c‖² + spread_c / 10), at most 4: what is left of the unit's way.

    0 where it arrives; about 1 where nothing moves. The share of the spread keeps it from growing where the frozen
    model knows the unit already, the bound where a field goes the wrong way. No gradient through the divisor.
    """
    left = of_unit((after - truth).square().sum(2), c)
    way = of_unit((before - truth).square().sum(2), c).detach() + 0.1 * spread[c]
    return (left / way).clamp(max=4)


def of_unit(values: Float[Tensor, "batch unit"], c: Int[Tensor, "batch"]) -> PerImage:
    return values.gather(1, c[:, None]).squeeze(1)


def unit_spread(units: Units) -> Float[Tensor, "unit"]:
    """The variance of each unit's vector over the batch, of all processes, summed over its numbers; without gradient.

    Of a single image, as a last batch may be, it is as good as 0.
    """
    rows = gather(units.detach().flatten(1))
    return rows.var(0, correction=min(1, len(rows) - 1)).view(units.shape[1:]).sum(1) + LEAST


def unit_distances(one: Units, other: Units) -> Float[Tensor, "batch unit"]:
    """Euclidean distance of each unit; its gradient is 0 where they are equal."""
    return torch.linalg.vector_norm(one - other, dim=2)


def build_encoder(settings: DisDiffSettings, shape: tuple[int, int, int]) -> nn.Module:
    outputs = settings.units * settings.dim
    return residual_encoder(shape, outputs, settings.encoder_width, settings.encoder_norm, settings.encoder_halvings)


def build_networks(settings: DisDiffSettings, foundation: Foundation) -> Networks:
    """The encoder and twin of the release, and fields with the frozen U-Net's blocks."""
    denoiser = foundation.required_denoiser("DisDiff")
    check_identities(settings)
    check_splittable(denoiser.unet)
    encoder, twin = (build_encoder(settings, foundation.shape) for _ in range(2))
    return Networks(encoder, twin, SubFields(settings, denoiser))


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
    networks = build_networks(settings, foundation)
    return DisDiff(settings, foundation.required_denoiser("DisDiff"), foundation.diffusion_space(), networks)


def check(settings: DisDiffSettings, foundation: Foundation, batch: int, images: int) -> None:
    if settings.distances == "relative" and batch < 2:
        raise SettingsError("method.distances=relative needs the spread of a batch: set training.batch to 2 or more.")


METHOD = MethodDefinition(
    settings=DisDiffSettings,
    build=build,
    presets=PRESETS,
    citation=CITATION,
    extra_verbs={"fields": field_maps, "alone": draw_alone},
    check=check,
)
