"""The VAE rows: their regularisers against closed forms, the sweep's architecture, and that they learn."""

import numpy as np
import pytest
import torch

import unweave
from unweave import registry
from unweave.method import Batch, find_method
from unweave.methods import annealedvae, betatcvae, betavae, dipvae, factorvae
from unweave.methods._vae import SWEEP, Posterior, Variational, kl
from unweave.models.foundation import Foundation

NAMES = ("annealedvae", "betatcvae", "betavae", "dipvae", "factorvae")
FOUNDATION = Foundation((3, 64, 64), 100)


def build(name: str, **settings: object) -> Variational:
    module = registry.module("methods", name)
    torch.manual_seed(0)
    method = module.build(module.METHOD.settings(**settings), FOUNDATION)
    assert isinstance(method, Variational)
    return method


def posterior(images: int = 6, units: int = 10) -> Posterior:
    rng = torch.Generator().manual_seed(0)
    return Posterior(torch.randn(images, units, generator=rng), 0.3 * torch.randn(images, units, generator=rng))


def batch(seen: int = 0) -> Batch:
    return Batch(torch.zeros(6, 3, 64, 64), torch.arange(6), seen)


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_are_those_of_the_sweep(name: str) -> None:
    method = build(name)
    counts = [sum(p.numel() for p in part.parameters()) for part in (method.encoder, method.decoder)]
    convolutions = (3 * 16 * 32 + 32) + (32 * 16 * 32 + 32) + (32 * 4 * 64 + 64) + (64 * 4 * 64 + 64)
    assert counts[0] == convolutions + (1024 * 256 + 256) + (256 * 20 + 20)
    up = (64 * 16 * 64 + 64) + (64 * 16 * 32 + 32) + (32 * 16 * 32 + 32) + (32 * 16 * 3 + 3)
    assert counts[1] == (10 * 256 + 256) + (256 * 1024 + 1024) + up
    training = find_method(name).presets["sweep"]["training"]
    assert training["images"] == 300_000 * training["batch"]
    assert method.averaged == ()


def test_networks_of_other_sides_say_what_they_need() -> None:
    with pytest.raises(ValueError, match="multiples of 16, got 40 x 40"):
        betavae.build(betavae.BetaVAESettings(), Foundation((3, 40, 40), 1))


def test_beta_weighs_the_kl() -> None:
    q = posterior()
    regulariser = build("betavae", beta=7).regulariser(q, q.mean, batch())
    torch.testing.assert_close(regulariser.total, 7 * kl(q))
    torch.testing.assert_close(regulariser.terms["kl"], kl(q))


@pytest.mark.parametrize(("seen", "capacity"), [(0, 0.0), (3_200_000, 12.5), (6_400_000, 25.0), (9_000_000, 25.0)])
def test_capacity_rises_with_the_images_seen(seen: int, capacity: float) -> None:
    q = posterior()
    total = build("annealedvae").regulariser(q, q.mean, batch(seen)).total
    torch.testing.assert_close(total, 1000 * (kl(q) - capacity).abs())


def test_total_correlation_of_the_batch_is_the_mixture_s() -> None:
    q, z = posterior(4, 2), torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    mixture = torch.distributions.Normal(q.mean, (0.5 * q.log_variance).exp())
    joint, apart = [], []
    for sample in z:
        densities = mixture.log_prob(sample).exp()  # (image, unit)
        joint.append(densities.prod(1).sum().log())
        apart.append(densities.sum(0).log().sum())
    torch.testing.assert_close(betatcvae.total_correlation(q, z), (torch.stack(joint) - torch.stack(apart)).mean())
    plain = build("betatcvae", beta=1).regulariser(posterior(), posterior().mean, batch())
    torch.testing.assert_close(plain.total, kl(posterior()))


def test_total_correlation_sees_dependence() -> None:
    rng = torch.Generator().manual_seed(0)
    mean = torch.randn(512, 2, generator=rng)
    narrow = torch.full((512, 2), -4.0)
    apart = betatcvae.total_correlation(Posterior(mean, narrow), mean)
    copied = mean[:, :1].repeat(1, 2)
    assert betatcvae.total_correlation(Posterior(copied, narrow), copied) > apart + 0.5


def test_covariance_is_numpy_s_and_distances_are_from_the_identity() -> None:
    mean = posterior(50, 3).mean
    expected = np.cov(mean.numpy(), rowvar=False, bias=True)
    np.testing.assert_allclose(dipvae.covariance(mean).numpy(), expected, atol=1e-5)
    on, off = dipvae.identity_distances(torch.tensor([[1.0, 2.0], [2.0, 4.0]]))
    assert (on.item(), off.item()) == (9.0, 8.0)


def test_the_two_variants_of_dip_vae_differ_by_the_posterior_variance() -> None:
    q = posterior(50)
    one, two = (build("dipvae", variant=variant).regulariser(q, q.mean, batch()) for variant in ("I", "II"))
    torch.testing.assert_close(one.terms["off_diagonal"], two.terms["off_diagonal"])
    variance = dipvae.covariance(q.mean).diagonal() + q.log_variance.exp().mean(0)
    torch.testing.assert_close(two.terms["diagonal"], (variance - 1).square().sum())
    assert (build("dipvae", variant="I").diagonal, build("dipvae", variant="II").diagonal) == (100.0, 10.0)
    assert build("dipvae", variant="II", diagonal=3).diagonal == 3.0


def test_the_critic_is_the_sweep_s() -> None:
    critic = build("factorvae").critic
    assert sum(p.numel() for p in critic.parameters()) == (10 * 1000 + 1000) + 5 * (1000 * 1000 + 1000) + (2000 + 2)


def test_shuffling_keeps_every_unit_s_values_and_parts_them() -> None:
    z = torch.arange(40.0).reshape(20, 2)
    mixed = factorvae.shuffle(z, torch.Generator().manual_seed(0))
    assert torch.equal(mixed.sort(0).values, z)
    assert (mixed[:, 0] + 1 != mixed[:, 1]).any()


def test_a_critic_learns_to_see_total_correlation_and_steps_alone() -> None:
    method = build("factorvae", units=2, critic_width=32)
    vae, critic = method.players()
    assert critic.betas == (0.5, 0.9)
    loss = critic.module(Batch(torch.rand(6, 3, 64, 64), torch.arange(6), 0), torch.Generator().manual_seed(0))
    assert loss.total.item() == pytest.approx(np.log(2), abs=0.05)
    loss.total.backward()
    assert all(parameter.grad is None for parameter in vae.parameters)
    assert all(parameter.grad is not None for parameter in critic.parameters)
    rng = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(critic.parameters, lr=1e-3)
    for _ in range(300):
        z = torch.randn(256, 1, generator=rng).repeat(1, 2)
        joint, shuffled = method.critic(z), method.critic(factorvae.shuffle(z, rng))
        optimiser.zero_grad()
        (factorvae.cross_entropy(joint, 0) + factorvae.cross_entropy(shuffled, 1)).backward()
        optimiser.step()
    assert factorvae.total_correlation(method.critic(z)).item() > 1.0


def test_gamma_of_annealing_and_presets_are_complete() -> None:
    assert annealedvae.PRESETS["laptop"]["method"]["rise"] * 3 == pytest.approx(
        SWEEP["laptop"]["training"]["images"], rel=0.01
    )
    for name in NAMES:
        assert set(find_method(name).presets) == {"sweep", "laptop"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "betavae" else pytest.mark.long) for name in NAMES]
)
def test_they_learn_score_and_edit(name: str, tmp_path) -> None:
    table = {"name": "sprites", "size": 32}
    run = unweave.train(name, data=table, training={"images": 6_400, "preview": 6_400}, run=tmp_path / name)
    history = [record["vae/reconstruction"] for record in run.history()]
    assert history[-1] < 0.5 * history[0]
    scores = unweave.evaluate(run, rows=2_000, protocols=["factorvae@1"], repeats=1)
    assert 0 <= scores["protocols"]["factorvae@1"]["eval_accuracy"]["value"] <= 1
    assert unweave.swap(run, images=[0], partners=[9]).images.isfinite().all()
    assert unweave.traverse(run, images=[0]).images.isfinite().all()
