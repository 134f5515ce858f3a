"""What the VAE methods share, and the terms their objectives are made of. All terms are in nats per image.

Kingma & Welling, arXiv:1312.6114. "The sweep" is the study of Locatello et al. (arXiv:1811.12359), made with
disentanglement_lib, whose networks, loss and optimiser these methods have. They differ in `regulariser` only
(methods/betavae.py and its neighbours).
"""

from abc import abstractmethod
from math import log, pi
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unweave.method import Batch, Loss, OneShot, Sampling, Start
from unweave.models import vae
from unweave.tensors import Images, Scalar, Units

ScalarCodes = Float[Tensor, "batch unit"]

SWEEP: dict[str, dict[str, dict[str, Any]]] = {
    "sweep": {
        "training": {"images": 19_200_000, "batch": 64, "rate": 1e-4, "weight_decay": 0.0, "precision": "float32"},
    },
    "laptop": {
        "data": {"size": 32},
        "training": {"images": 400_000, "batch": 64, "rate": 1e-3, "weight_decay": 0.0, "precision": "float32"},
    },
}
"""The sweep's training (300,000 steps of 64 images), and one of minutes, whose rate and budget are ours."""


class Posterior(NamedTuple):
    """q(z | x): an independent normal distribution per unit."""

    mean: ScalarCodes
    log_variance: ScalarCodes


class Regulariser(NamedTuple):
    """What a VAE adds to the reconstruction: its weighted sum, and its terms, unweighted, for the log."""

    total: Scalar
    terms: dict[str, Scalar]


class Variational(OneShot):
    """Loss: E over q(z|x) of -log p(x|z), plus the regulariser of the variant.

    p(x|z) is Bernoulli on images in [0, 1] (summed over pixels and colours), networks are those of the sweep, and the
    units are the posterior means. Encoder and KL terms are computed in float32 also where the decoder is not.
    """

    def __init__(self, shape: tuple[int, int, int], units: int) -> None:
        super().__init__()
        self.encoder = vae.encoder(shape, 2 * units)
        self.decoder = vae.decoder(shape, units)

    @abstractmethod
    def regulariser(self, posterior: Posterior, z: ScalarCodes, batch: Batch) -> Regulariser:
        """The terms that keep the posterior factorised; z is one sample of it per image."""

    def forward(self, batch: Batch, rng: torch.Generator) -> Loss:
        posterior = self.posterior(batch.to_encode)
        z = sample_posterior(posterior, rng)
        reconstruction = bernoulli(batch.images, self.decoder(z).float())
        regulariser = self.regulariser(posterior, z, batch)
        return Loss(reconstruction + regulariser.total, {"reconstruction": reconstruction, **regulariser.terms})

    def posterior(self, images: Images) -> Posterior:
        with torch.autocast(images.device.type, enabled=False):
            return Posterior(*self.encoder(images).chunk(2, dim=1))

    def encode(self, images: Images) -> Units:
        return self.posterior(images).mean.unsqueeze(-1)

    def decode(self, units: Units, start: Start, sampling: Sampling, rng: torch.Generator | None = None) -> Images:
        return self.decoder(units.squeeze(-1)).float().sigmoid() * 2 - 1


def sample_posterior(posterior: Posterior, rng: torch.Generator) -> ScalarCodes:
    """One sample per image, with the gradient of its parameters (reparameterised)."""
    mean, log_variance = posterior
    noise = torch.randn(mean.shape, generator=rng, device=rng.device).to(mean.device)
    return mean + (0.5 * log_variance).exp() * noise


def bernoulli(images: Images, logits: Images) -> Scalar:
    """-log p(x|z) of images in [-1, 1], taken to [0, 1]: summed over an image, averaged over the batch."""
    errors = functional.binary_cross_entropy_with_logits(logits, (images + 1) / 2, reduction="none")
    return errors.sum((1, 2, 3)).mean()


def negative_log_likelihood(images: Images, logits: Images, deviation: float | None) -> Scalar:
    """-log p(x|z) of images in [-1, 1], taken to [0, 1]: normal with this deviation, without its constant; None:
    `bernoulli`."""
    if deviation is None:
        return bernoulli(images, logits)
    errors = ((images + 1) / 2 - logits.sigmoid()).square().flatten(1).sum(1)
    return errors.mean() / (2 * deviation**2)


def kl(posterior: Posterior) -> Scalar:
    """KL(q(z|x) || N(0, 1)), summed over units, averaged over the batch."""
    return kl_by_unit(posterior).sum(1).mean()


def kl_by_unit(posterior: Posterior) -> ScalarCodes:
    """KL(q(z_i|x) || N(0, 1)) of every unit of every image."""
    mean, log_variance = posterior
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)


def log_normal(z: ScalarCodes, posterior: Posterior) -> ScalarCodes:
    """log q(z | x) of each unit of each image under its own posterior."""
    mean, log_variance = posterior
    return -0.5 * ((z - mean).square() * (-log_variance).exp() + log_variance + log(2 * pi))


def log_densities(z: Float[Tensor, "sample unit"], posterior: Posterior) -> Float[Tensor, "sample image unit"]:
    """log q(z | x) of every unit of every sample under the posterior of every image."""
    mean, log_variance = posterior
    return -0.5 * ((z.unsqueeze(1) - mean).square() * (-log_variance).exp() + log_variance + log(2 * pi))
