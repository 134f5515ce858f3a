"""ProtoVAE: its terms against closed forms, who learns from them, what an episode changes, and bad settings."""

import pytest
import torch

from unweave.config import SettingsError, parse
from unweave.method import Batch, find_method
from unweave.methods import protovae
from unweave.methods._vae import Posterior, negative_log_likelihood
from unweave.methods.protovae import ProtoVAE, ProtoVAESettings
from unweave.models.foundation import Foundation

FOUNDATION = Foundation((3, 16, 16), 100)


def build(**settings: object) -> ProtoVAE:
    torch.manual_seed(0)
    return protovae.build(ProtoVAESettings(units=4, **settings), FOUNDATION)


def batch(seen: int = 0) -> Batch:
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Batch(images, torch.arange(8), seen)


def posterior(means: torch.Tensor) -> Posterior:
    return Posterior(means, torch.full_like(means, -4.0))


def test_one_latent_of_each_code_is_changed_to_that_of_another_image() -> None:
    z = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))
    settings = ProtoVAESettings(units=6, latents=3, changes=24)
    change = protovae.change_latents(posterior(z), z, settings, torch.Generator().manual_seed(0))
    assert change.latents == 3
    assert change.k.unique_consecutive().numel() == 3
    moved = change.before != change.after
    assert torch.equal(change.before, z[change.image])
    assert not moved.scatter(1, change.k[:, None], False).any()
    for value, k in zip(change.after.gather(1, change.k[:, None]).squeeze(1), change.k):
        assert value in z[:, k]


def test_dead_latents_are_not_asked_for() -> None:
    z = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))
    q = Posterior(z * torch.tensor([1.0, 0, 1, 0, 0, 1]), torch.tensor([-4.0, 0, -4, 0, 0, -4]).expand(16, 6))
    seen: set[int] = set()
    for seed in range(5):
        rng = torch.Generator().manual_seed(seed)
        seen |= set(protovae.change_latents(q, z, ProtoVAESettings(units=6), rng).k.tolist())
    assert seen == {0, 2, 5}
    dead = Posterior(torch.zeros(16, 6), torch.zeros(16, 6))
    assert protovae.change_latents(dead, z, ProtoVAESettings(units=6), torch.Generator().manual_seed(0)).latents == 2


def test_prototypes_name_what_is_apart_and_guess_what_is_not() -> None:
    apart = torch.eye(3).repeat_interleave(8, 0) * 20
    loss, named = protovae.prototypical(apart, 3)
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert named.item() == 1
    same, _ = protovae.prototypical(torch.ones(24, 3), 3)
    assert same.item() == pytest.approx(torch.tensor(3.0).log().item())


def test_isometry_is_zero_for_proportional_lengths_and_knows_no_scale() -> None:
    step = torch.tensor([0.5, 1.0, 2.0])
    assert protovae.isometry(3 * step, step).item() == pytest.approx(0, abs=1e-6)
    length = torch.tensor([1.0, 1.0, 1.0])
    torch.testing.assert_close(protovae.isometry(length, step), protovae.isometry(7 * length, step))
    assert protovae.isometry(length, step) > 0.1


def test_a_frozen_judge_moves_the_codes_alone() -> None:
    codes = torch.randn(8, 4, requires_grad=True)
    method = build()
    assert method.reencode(codes).shape == (8, 4)
    method.reencode(codes).square().sum().backward()
    assert codes.grad is not None
    assert codes.grad.any()
    assert all(p.grad is None for p in method.parameters())
    learning = build(judge="learning")
    torch.testing.assert_close(learning.reencode(codes), method.reencode(codes))
    learning.reencode(codes).square().sum().backward()
    assert all(p.grad is not None for p in learning.parameters())


def test_terms_begin_when_they_should() -> None:
    method, plain = build(after=100, rise=100), build(reencoding=0)
    losses = {
        seen: method(batch(seen), torch.Generator().manual_seed(0)).total.item() for seen in (0, 100, 150, 200, 900)
    }
    base = plain(batch(), torch.Generator().manual_seed(0)).total.item()
    assert losses[0] == losses[100] == pytest.approx(base)
    assert losses[150] - base == pytest.approx((losses[200] - base) / 2, rel=1e-3)
    assert losses[200] == losses[900] > base


def test_the_paper_s_form_has_every_term_and_a_normal_likelihood_is_one() -> None:
    preset = find_method("protovae").presets["paper"]["method"]
    method = build(**{**preset, "after": 0, "rise": 0})
    terms = method(batch(), torch.Generator().manual_seed(0)).terms
    assert set(terms) == {"reconstruction", "kl", "reencoding", "prototypes", "isometry", "named"}
    image = batch().images
    z = torch.zeros(8, 4)
    normal = build(deviation=0.1)
    errors = ((image - normal.images(z)) / 2).square().flatten(1).sum(1)
    reconstruction = negative_log_likelihood(image, normal.decoder(z), 0.1)
    torch.testing.assert_close(reconstruction, errors.mean() / 0.02)


def test_bad_settings_say_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"lower method\.latents"):
        parse(ProtoVAESettings, {"latents": 10, "changes": 39}, "method")
    with pytest.raises(SettingsError, match=r"the set has 1: lower method\.changes"):
        protovae.build(ProtoVAESettings(), Foundation((3, 16, 16), 1))
