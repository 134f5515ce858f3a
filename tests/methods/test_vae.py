import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from unweave.methods._vae import Posterior, bernoulli, kl, log_densities, sample_posterior


def posterior(images: int = 5, units: int = 3) -> Posterior:
    rng = torch.Generator().manual_seed(0)
    return Posterior(torch.randn(images, units, generator=rng), torch.randn(images, units, generator=rng))


def test_kl_is_the_closed_form() -> None:
    q = posterior()
    expected = kl_divergence(Normal(q.mean, (0.5 * q.log_variance).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(kl(q), expected)
    zero = Posterior(torch.zeros(4, 2), torch.zeros(4, 2))
    assert kl(zero).item() == 0


def test_densities_are_those_of_the_normal_distribution() -> None:
    q = posterior()
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    expected = Normal(q.mean, (0.5 * q.log_variance).exp()).log_prob(z[:, None])
    torch.testing.assert_close(log_densities(z, q), expected)


def test_samples_have_the_posterior_s_moments_and_pass_gradients() -> None:
    q = Posterior(torch.full((20_000, 1), 2.0, requires_grad=True), torch.full((20_000, 1), math.log(0.25)))
    z = sample_posterior(q, torch.Generator().manual_seed(0))
    assert z.mean().item() == pytest.approx(2.0, abs=0.02)
    assert z.std().item() == pytest.approx(0.5, abs=0.01)
    z.sum().backward()
    assert torch.equal(q.mean.grad, torch.ones(20_000, 1))


def test_the_reconstruction_is_summed_over_an_image_and_averaged_over_the_batch() -> None:
    images = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)  # black, white
    assert bernoulli(images, torch.zeros(2, 3, 4, 4)).item() == pytest.approx(48 * math.log(2))
    sure = torch.stack([torch.full((3, 4, 4), -50.0), torch.full((3, 4, 4), 50.0)])
    assert bernoulli(images, sure).item() == pytest.approx(0, abs=1e-6)
