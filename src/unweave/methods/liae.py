"""An isometric autoencoder: neighbouring codes are as far apart as the images are, and ICA turns them to their axes.

After Horan, Richardson & Weiss, "When is unsupervised disentanglement possible?", NeurIPS 2021, who encourage local
isometry in an autoencoder and follow it by ICA. Their term is not known to us; both forms here have sources of their
own: the neighbour form is ours, the decoder form is the relative distortion of Lee, Yoon, Son & Park, "Regularized
autoencoders for isometric representation learning", ICLR 2022. Without either it is a plain autoencoder, and with
linear layers between encoder and decoder an implicit-rank one (IRMAE, Jing, Zbontar & LeCun, NeurIPS 2020).
"""

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from unweave.config import NamedSettings
from unweave.method import Batch, FitResult, Fitted, Loss, MethodDefinition, OneShot, Player, Sampling, Start
from unweave.methods._vae import ScalarCodes
from unweave.models.foundation import Foundation
from unweave.models.gathered import processes
from unweave.models.gathered import total as gathered_total
from unweave.tensors import Images, Scalar, Units, to_images
from unweave.types import Pixels

CITATION = """@inproceedings{horan2021when,
  title     = {When Is Unsupervised Disentanglement Possible?},
  author    = {Horan, Daniella and Richardson, Eitan and Weiss, Yair},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2021}
}
@inproceedings{lee2022regularized,
  title     = {Regularized Autoencoders for Isometric Representation Learning},
  author    = {Lee, Yonghyeon and Yoon, Sangwoong and Son, MinJun and Park, Frank Chongwoo},
  booktitle = {International Conference on Learning Representations},
  year      = {2022}
}"""

PROLONGED = 0.2
"""How far the segments between codes, on which the decoder form is measured, go beyond both ends (Lee et al.)."""


class LIAESettings(NamedSettings):
    name: Literal["liae"] = "liae"
    units: int = Field(2, ge=1, description="number of units N; few, as many as there are factors")
    form: Literal["neighbour", "decoder"] = Field(
        "neighbour", description="'neighbour': distances of near images and codes; 'decoder': its Jacobian"
    )
    weight: float = Field(1.0, ge=0, description="of the isometry term; 0 is a plain autoencoder")
    neighbours: int = Field(10, ge=1, description="nearest images that one is drawn from, for the neighbour form")
    bank: int = Field(2_048, ge=2, description="images seen last, among which neighbours are looked for")
    widths: tuple[int, ...] = Field(
        (128, 128), description="hidden layers of the encoder; the decoder has them reversed"
    )
    linear: int = Field(0, ge=0, description="linear layers without bias after the encoder: 8 is IRMAE's")
    ica: bool = Field(True, description="turn the codes to independent components when training ends")
    starts: int = Field(10, ge=1, description="starts of FastICA, of which the most independent is kept")
    autoencoders: int = Field(4, ge=1, description="how many begin side by side; that of the lowest loss goes on")
    chosen_after: int = Field(25_600, ge=0, description="images after which it is chosen")


TRAINING: dict[str, Any] = {
    "images": 128_000, "batch": 64, "rate": 1e-3, "decay": "cosine", "weight_decay": 0.0, "precision": "float32",
}  # fmt: skip
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "laptop": {"data": {"size": 32}, "training": TRAINING},
    "decoder": {"data": {"size": 32}, "method": {"form": "decoder"}, "training": TRAINING},
    "plain": {"data": {"size": 32}, "method": {"weight": 0.0}, "training": TRAINING},
    "irmae": {"data": {"size": 32}, "method": {"weight": 0.0, "linear": 8}, "training": TRAINING},
}
"""The isometric autoencoder, its other form, and the paper's rivals with the same networks and budget."""


class IsometricAutoencoder(OneShot, Fitted):
    """Loss: ||x - D(E(x))||^2 of images in [0, 1], summed over an image, plus weight times one of two forms.

    Neighbour form (`neighbour_distortion`): how far the distances of codes are from one multiple of those of images,
    among near images of those seen last. Decoder form (`relative_distortion`): how far the Jacobian of the decoder is
    from one multiple of an isometry. Units are the codes turned by ICA once training ends, of mean 0 and variance 1
    over up to `fit_images` images; before, they are the codes.

    Some beginnings end in a folded code, which a much larger loss tells early. So several autoencoders begin on the
    same images, and after `chosen_after` of them that of the lowest running mean of the loss goes on alone (ours).
    """

    fit_images = 10_000
    bank: Tensor  # buffers: the images seen last, in a ring
    banked: Tensor  # how many were ever put there
    centre: Tensor
    unmixing: Tensor  # from centred codes to units
    mixing: Tensor  # its inverse
    losses: Tensor  # running means of each autoencoder
    chosen: Tensor  # which goes on; -1 while all do

    def __init__(self, settings: LIAESettings, foundation: Foundation) -> None:
        super().__init__()
        self.settings, self.shape, units = settings, foundation.shape, settings.units
        numbers = int(np.prod(foundation.shape))
        self.candidates = nn.ModuleList(
            nn.ModuleDict(
                {
                    "encoder": nn.Sequential(
                        nn.Flatten(),
                        *perceptron((numbers, *settings.widths, units)),
                        *(nn.Linear(units, units, bias=False) for _ in range(settings.linear)),
                    ),
                    "decoder": nn.Sequential(
                        *perceptron((units, *reversed(settings.widths), numbers)), nn.Unflatten(1, foundation.shape)
                    ),
                }
            )
            for _ in range(settings.autoencoders)
        )
        self.register_buffer("losses", torch.zeros(settings.autoencoders))
        self.register_buffer("chosen", torch.tensor(-1))
        self.register_buffer(
            "bank", torch.zeros(min(settings.bank, foundation.rows), *foundation.shape, dtype=torch.uint8)
        )
        self.register_buffer("banked", torch.zeros((), dtype=torch.long))
        self.register_buffer("centre", torch.zeros(units))
        self.register_buffer("unmixing", torch.eye(units))
        self.register_buffer("mixing", torch.eye(units))

    def players(self) -> list[Player]:
        return [Player("autoencoder", self, list(self.parameters()))]

    @property
    def best(self) -> int:
        """Which autoencoder was chosen, or would be now."""
        return int(self.chosen if self.chosen >= 0 else self.losses.argmin())

    @property
    def encoder(self) -> nn.Module:
        return self.pair(self.best)[0]

    @property
    def decoder(self) -> nn.Module:
        return self.pair(self.best)[1]

    def pair(self, i: int) -> tuple[nn.Module, nn.Module]:
        """Encoder and decoder of one of them."""
        candidate = self.candidates[i]
        assert isinstance(candidate, nn.ModuleDict)
        return candidate["encoder"], candidate["decoder"]

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        settings, x = self.settings, (batch.images + 1) / 2
        near = self.neighbours(x, rng) if settings.weight and settings.form == "neighbour" else None
        if self.chosen < 0 and batch.seen >= settings.chosen_after:
            self.chosen.copy_(self.losses.argmin())
        if self.chosen >= 0:
            loss = self.objective(self.encoder, self.decoder, x, near, rng)
            if processes() == 1:
                return loss
            unused = [p.sum() for i, each in enumerate(self.candidates) if i != self.best for p in each.parameters()]
            return loss._replace(total=loss.total + 0 * sum(unused))  # averaged over processes like the others
        losses = [self.objective(*self.pair(i), x, near, rng) for i in range(settings.autoencoders)]
        totals = torch.stack([loss.total for loss in losses])
        self.losses.lerp_(gathered_total(totals.detach()) / processes(), 0.02)
        return Loss(totals.sum(), losses[self.best].terms)

    def objective(
        self, encoder: nn.Module, decoder: nn.Module, x: Images, near: Images | None, rng: torch.Generator
    ) -> Loss:
        codes = encoder(x)
        reconstruction = (decoder(codes) - x).square().sum((1, 2, 3)).mean()
        if not self.settings.weight:
            return Loss(reconstruction, {"reconstruction": reconstruction})
        if near is not None:
            distortion = neighbour_distortion(x - near, codes - encoder(near))
        else:
            distortion = relative_distortion(decoder, codes, rng)
        total = reconstruction + self.settings.weight * distortion
        return Loss(total, {"reconstruction": reconstruction, "isometry": distortion})

    @torch.no_grad()
    def neighbours(self, x: Images, rng: torch.Generator) -> Images:
        """One of the nearest images of each among those seen last, which these join; itself where there is no other.

        Known defect: distances in single precision are not exact, so about half of the images still find themselves or
        a copy among their nearest, and such a pair says nothing. Exact distances were not better
        (benchmarks/records/local_isometry.md).
        """
        size = len(self.bank)
        self.bank[(self.banked + torch.arange(len(x), device=x.device)) % size] = (x * 255).round().byte()
        self.banked += len(x)
        stored = self.bank[: int(self.banked.clamp(max=size))].float() / 255
        distances = torch.cdist(x.flatten(1), stored.flatten(1))
        distances[distances < 1e-3] = torch.inf  # itself and copies, where rounding does not hide them
        count = min(self.settings.neighbours, len(stored))
        nearest = distances.topk(count, largest=False)
        drawn = torch.randint(count, (len(x), 1), generator=rng, device=rng.device).to(x.device)
        found = stored[nearest.indices.gather(1, drawn)[:, 0]]
        return torch.where(nearest.values.gather(1, drawn).isfinite().view(-1, 1, 1, 1), found, x)

    def fit(self, pixels: Pixels, rng: torch.Generator) -> FitResult:
        from unweave import manifold  # scikit-learn, where the method is trained and not where it is listed

        if not self.settings.ica:
            return FitResult({}, {})
        device = self.centre.device
        with torch.no_grad():
            parts = [
                self.encoder((to_images(pixels[at : at + 250], device) + 1) / 2) for at in range(0, len(pixels), 250)
            ]
        codes = torch.cat(parts).double().cpu().numpy()
        centre, white = codes.mean(0), manifold.whiten(codes)
        rotation = manifold.independent_components(
            white, self.settings.starts, np.random.RandomState(rng.initial_seed() % 2**32)
        )
        units = white @ rotation.components.T
        mixing = np.linalg.lstsq(units, codes - centre, rcond=None)[0].T
        fitted = {"centre": centre, "mixing": mixing, "unmixing": np.linalg.inv(mixing)}
        for name, values in fitted.items():
            self.get_buffer(name).copy_(torch.from_numpy(values))
        terms = {"negentropy": float(rotation.negentropies.max()), "near_ties": float(rotation.near_ties)}
        return FitResult(terms, {}, [doubt] if (doubt := rotation.doubt()) else [])

    def encode(self, images: Images) -> Units:
        return ((self.encoder((images + 1) / 2) - self.centre) @ self.unmixing.T).unsqueeze(-1)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        codes = units.squeeze(-1) @ self.mixing.T + self.centre
        return self.decoder(codes).float().mul(2).sub(1).clamp(-1, 1)


def perceptron(widths: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers with SiLU between them; smooth, since the decoder form differentiates twice."""
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Linear(before, after), nn.SiLU()]
    return layers[:-1]


def neighbour_distortion(dx: Float[Tensor, "batch ..."], de: ScalarCodes) -> Scalar:
    """mean (|de| - s |dx|)^2 / mean (s |dx|)^2 for the steps dx to near images and de between their codes; 0 or more.

    s = <|de|, |dx|> / <|dx|, |dx|> is the scale of the batch.
    """
    pixels = dx.flatten(1).square().sum(1).sqrt()
    codes = de.square().sum(1).add(1e-12).sqrt()
    s = (codes * pixels).sum() / pixels.square().sum().clamp(min=1e-12)
    return (codes - s * pixels).square().mean() / (s * pixels).square().mean().clamp(min=1e-12)


def relative_distortion(decoder: nn.Module, codes: ScalarCodes, rng: torch.Generator) -> Scalar:
    """E |H v|^2 / (E |J v|^2)^2 with H = J^T J and v ~ N(0, I): 1 / N where H = c I with one c everywhere, else more.

    Codes are drawn on the segments between codes of the batch, prolonged by a fifth. One product with J, as the
    gradient of one with its transpose, and one with its transpose (Lee et al. estimate the same ratio of traces).
    """
    order = torch.randperm(len(codes), generator=rng, device=rng.device).to(codes.device)
    share = torch.rand(len(codes), 1, generator=rng, device=rng.device).to(codes.device)
    share = share * (1 + 2 * PROLONGED) - PROLONGED
    z = share * codes + (1 - share) * codes[order]
    v = torch.randn(z.shape, generator=rng, device=rng.device).to(z)
    images = decoder(z.requires_grad_())
    u = torch.zeros_like(images, requires_grad=True)
    (ju,) = torch.autograd.grad(images, z, u, create_graph=True)  # J^T u, whose gradient along v is J v
    (jv,) = torch.autograd.grad(ju, u, v, create_graph=True)
    (hv,) = torch.autograd.grad(images, z, jv, create_graph=True)
    return hv.square().sum(1).mean() / jv.flatten(1).square().sum(1).mean().square().clamp(min=1e-12)


def build(settings: LIAESettings, foundation: Foundation) -> IsometricAutoencoder:
    return IsometricAutoencoder(settings, foundation)


METHOD = MethodDefinition(settings=LIAESettings, build=build, presets=PRESETS, citation=CITATION)
