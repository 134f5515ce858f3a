"""A VAE's code and the same code turned rebuild the same pictures and fit the same prior, so nothing in its model of
the pictures says which axes are the factors; scores do.

Locatello et al., "Challenging common assumptions in the unsupervised learning of disentangled representations", ICML
2019, arXiv:1811.12359, Theorem 1: from a code whose units are independent and normal, a rotation makes another one that
mixes every factor into every unit and is just as good a model of the images.

Here a plain VAE (beta 1) learns ellipses that differ in place and colour. Its code z is then turned: R after the
encoder, its inverse before the decoder, where R is the rotation (Hadamard's) that gives each new unit the same part of
every old one. Nothing is trained again. The posterior of an image was an independent normal distribution per unit;
turned, it is the normal distribution of R z, whose units are no longer independent given the image. Measured for both:

- `pixel error` and `nats to the prior`: what rebuilding costs, and the KL divergence of the posterior from N(0, I), a
  mean over images. They are the same, and so is the evidence lower bound, `ELBO`.
- `ELBO, mean-field`: the bound with the normal posterior that is nearest to it among those whose units *are*
  independent given the image: the same mean, each variance one over the precision. A VAE's encoder can give no other
  one, and this bound is lower for the turned code. So the encoder's restriction, which is in no equation of the model
  of the images, is what prefers some axes (Rolinek et al., arXiv:1812.06775).
- DCI disentanglement and MIG: the axes of the VAE carry a factor each, turned axes do not.
"""

import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import hadamard
from torch import Tensor

import unweave
from unweave.demos._demonstration import Demonstration, Measurements, Outcome
from unweave.figures.grid import grid
from unweave.method import evaluating
from unweave.methods._vae import Posterior, ScalarCodes, Variational, bernoulli
from unweave.tensors import Images, to_images

Rotation = Float[Tensor, "unit unit"]

UNITS = 4
ELLIPSES = {"name": "sprites", "size": 16, "view": {"keep": {"shape": [1], "orientation": [0], "scale": [1]}}}
DRAWS = 20  # samples of the posterior per image


class NormalCode(NamedTuple):
    """The posterior N(R mean, R diag(variance) R') of every image, and a decoder that first turns back."""

    decoder: torch.nn.Module
    posterior: Posterior
    rotation: Rotation

    def means(self) -> ScalarCodes:
        return self.posterior.mean @ self.rotation.T

    def decode(self, z: ScalarCodes) -> Images:
        """Logits of the pixels."""
        return self.decoder(z @ self.rotation)

    def variances(self) -> ScalarCodes:
        """The variance of each unit: the diagonal of R diag(variance) R'."""
        return self.posterior.log_variance.exp() @ self.rotation.T.square()

    def divergence(self) -> float:
        """KL(q(z|x) || N(0, I)) in nats: (tr Sigma + |mean|^2 - units - log det Sigma) / 2, mean over the images."""
        log_determinant = self.posterior.log_variance.sum(1)  # that of R diag(variance) R' as well
        return float((self.variances().sum(1) + self.means().square().sum(1) - UNITS - log_determinant).mean() / 2)

    def samples(self, noise: ScalarCodes) -> ScalarCodes:
        return self.means() + (noise * (self.posterior.log_variance / 2).exp()) @ self.rotation.T

    def mean_field_variances(self) -> ScalarCodes:
        """Of the independent units nearest in KL(q || posterior): one over the diagonal of R diag(1 / variance) R'."""
        return 1 / ((-self.posterior.log_variance).exp() @ self.rotation.T.square())

    def mean_field_divergence(self) -> float:
        """The divergence from N(0, I) of those units, in nats."""
        variances = self.mean_field_variances()
        return float((variances + self.means().square() - 1 - variances.log()).sum(1).mean() / 2)

    def mean_field_samples(self, noise: ScalarCodes) -> ScalarCodes:
        return self.means() + noise * self.mean_field_variances().sqrt()


def run(seed: int, small: bool) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        trained = unweave.train(
            "betavae",
            data=ELLIPSES,
            method={"units": UNITS, "beta": 1.0},
            training={"images": 60_000 if small else 240_000, "rate": 3e-3, "seed": seed, "preview": 10**9},
            run=f"{folder}/vae",
        )
        vae, dataset = trained.method("raw"), trained.dataset()
    assert isinstance(vae, Variational)
    rows = np.arange(len(dataset))
    images, factors = to_images(dataset.images(rows)), dataset.factors(rows)
    assert factors is not None
    turn = torch.from_numpy(hadamard(UNITS)).float() / UNITS**0.5  # every unit gets the same part of every other
    with evaluating(vae):
        posterior = vae.posterior(images)
        own = NormalCode(vae.decoder, posterior, torch.eye(UNITS))
        turned = own._replace(rotation=turn)
        measured, control = (measure(code, images, factors, seed) for code in (own, turned))
        shown = np.random.default_rng(seed).choice(rows, 8, replace=False)
        rebuilt = [code.decode(code.means())[shown].sigmoid() * 2 - 1 for code in (own, turned)]
    labels = ["image", "rebuilt from the code", "rebuilt from the code turned"]
    picture = grid([images[shown], *rebuilt], labels, title="The same pictures from two codes of different axes")
    return Outcome(measured, control, picture)


def measure(code: NormalCode, images: Images, factors: np.ndarray, seed: int) -> Measurements:
    def likelihood(samples: Sequence[ScalarCodes]) -> float:
        """The mean of log p(x|z) over samples of z."""
        return -float(np.mean([float(bernoulli(images, code.decode(z))) for z in samples]))

    draws = [torch.randn(code.means().shape, generator=torch.Generator().manual_seed(seed + i)) for i in range(DRAWS)]
    scores = unweave.evaluate_tables(
        code.means().numpy(), factors, protocols=["dci-2k@1", "mig@1"], repeats=1, seed=seed
    )["protocols"]
    return {
        "pixel error": float((code.decode(code.means()).sigmoid() - (images + 1) / 2).square().mean()),
        "nats to the prior": code.divergence(),
        "ELBO": likelihood([code.samples(noise) for noise in draws]) - code.divergence(),
        "ELBO, mean-field": likelihood([code.mean_field_samples(noise) for noise in draws])
        - code.mean_field_divergence(),
        "DCI disentanglement": scores["dci-2k@1"]["disentanglement"]["value"],
        "MIG": scores["mig@1"]["mig"]["value"],
    }


def holds(code: Measurements, turned: Measurements) -> bool:
    equal = ("pixel error", "nats to the prior", "ELBO")
    differs = {"DCI disentanglement": 0.1, "MIG": 0.1, "ELBO, mean-field": 1.0}
    return all(abs(code[key] - turned[key]) < 1e-3 * abs(code[key]) for key in equal) and all(
        code[key] > turned[key] + least for key, least in differs.items()
    )


DEMO = Demonstration(
    paper="Locatello et al., Challenging common assumptions in ... disentangled representations, ICML 2019",
    control="the same network, its code turned by R and turned back before the decoder",
    run=run,
    holds=holds,
)
