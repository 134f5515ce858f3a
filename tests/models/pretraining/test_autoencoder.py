from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, VQModel
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from unweave.config import SettingsError
from unweave.method import Batch, evaluating
from unweave.models import perception
from unweave.models.foundation import Foundation
from unweave.models.perception import perceptual_distance
from unweave.models.pretraining import autoencoder
from unweave.models.pretraining.autoencoder import (
    PRESETS,
    Autoencoder,
    AutoencoderSettings,
    ImageCritic,
    build_network,
    gradient_ratio,
)

QUICK: dict[str, Any] = {
    "channels": (8, 16), "layers": 1, "groups": 4, "codebook": 32, "middle_attention": False, "critic_width": 4,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "vq": {"adversarial": 0.0},
    "vq with a critic": {},
    "kl": {"kind": "kl", "latent": 4, "adversarial": 0.0},
    "kl with a critic": {"kind": "kl", "latent": 4, "adversarial": 0.5},
    "no perceptual term": {"perceptual": 0.0, "adversarial": 0.0},
    "attention": {"middle_attention": True, "adversarial": 0.0},
}


def quick(side: int = 32, **changes: Any) -> Autoencoder:
    """An autoencoder of 32 px, the smallest power of two that the critic's five convolutions can take."""
    torch.manual_seed(0)
    return autoencoder.build(AutoencoderSettings(**{**QUICK, **changes}), Foundation((3, side, side), 100))


def batch(count: int = 4, seen: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(0)
    small = torch.rand(count, 3, 4, 4, generator=rng) * 2 - 1
    return Batch(small.repeat_interleave(8, 2).repeat_interleave(8, 3), torch.arange(count), seen)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.long
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_learns_to_come_back(changes: dict[str, Any]) -> None:
    model = quick(**changes)
    players = model.players()
    optimisers = [torch.optim.Adam(p.parameters, 3e-3, betas=p.betas or (0.9, 0.99)) for p in players]
    pixels = []
    for _ in range(25):
        for player, optimiser in zip(players, optimisers):
            loss = player.module(batch(), rng())
            optimiser.zero_grad()
            loss.total.backward()
            optimiser.step()
            assert loss.total.isfinite()
            pixels += [loss.terms["pixels"].item()] if "pixels" in loss.terms else []
    assert pixels[-1] < 0.9 * pixels[0]


def test_every_parameter_is_of_one_player_and_steps_touch_no_other() -> None:
    model = quick()
    first, second = model.players()
    assert (first.name, second.name, second.betas) == ("autoencoder", "critic", (0.5, 0.9))
    ids = [id(parameter) for player in (first, second) for parameter in player.parameters]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {id(parameter) for parameter in model.parameters()}
    assert len(quick(adversarial=0.0).players()) == 1
    second.module(batch(), rng()).total.backward()
    assert all(parameter.grad is None for parameter in first.parameters), "the critic's loss trains the critic alone"
    assert all(parameter.grad is not None for parameter in second.parameters)


def test_the_loss_is_the_sum_of_its_terms() -> None:
    model = quick(perceptual=0.3, adversarial=0.0, codebook_weight=2.0)
    total, terms = model(batch(), rng())
    torch.testing.assert_close(total, terms["pixels"] + 0.3 * terms["perceptual"] + terms["bottleneck"])
    rebuilt, _ = model.rebuild(batch().images, rng())
    torch.testing.assert_close(terms["pixels"], (rebuilt - batch().images).abs().mean())


def test_the_critics_share_is_its_weight_times_the_ratio() -> None:
    model = quick(adversarial=0.75)
    total, terms = model(batch(), rng())
    rebuilt, bottleneck = model.rebuild(batch().images, rng())
    reconstruction = terms["pixels"] + terms["perceptual"]
    plain = (rebuilt - batch().images).abs().mean() + perceptual_distance(
        model.features, rebuilt, batch().images, functional.l1_loss
    )
    weight = gradient_ratio(plain, -model.critic(rebuilt).mean(), model.autoencoder.decoder.conv_out.weight)
    assert weight > 0
    torch.testing.assert_close(
        total, reconstruction + bottleneck + 0.75 * weight * terms["adversarial"], rtol=1e-4, atol=1e-5
    )


def test_the_ratio_is_that_of_the_gradients_by_hand() -> None:
    """For f = a·w and g = b·w the gradients are a and b; the ratio is |a| / (|b| + 1e-4), up to 10⁴."""
    a, b = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.5])
    w = torch.ones(2, requires_grad=True)
    value = gradient_ratio((a * w).sum(), (b * w).sum(), w)
    assert value.item() == pytest.approx(5 / (0.5 + 1e-4), rel=1e-6)
    assert not value.requires_grad
    assert w.grad is None
    assert gradient_ratio((1e6 * a * w).sum(), (b * w).sum(), w).item() == 1e4
    assert gradient_ratio((a * w).sum(), (0 * b * w).sum(), w).item() == 1e4
    assert gradient_ratio((0 * a * w).sum(), (b * w).sum(), w).item() == 0


def test_with_the_ratio_both_gradients_at_the_last_layer_are_of_one_size() -> None:
    model = quick()
    last = model.autoencoder.decoder.conv_out.weight
    rebuilt, _ = model.rebuild(batch().images, rng())
    reconstruction = (rebuilt - batch().images).abs().mean()
    adversarial = -model.critic(rebuilt).mean()
    sizes = [
        torch.autograd.grad(loss, last, retain_graph=True)[0].norm().item()
        for loss in (reconstruction, gradient_ratio(reconstruction, adversarial, last) * adversarial)
    ]
    assert sizes[1] == pytest.approx(sizes[0], rel=2e-2)  # 1e-4 is added to the smaller


@pytest.mark.parametrize(("seen", "counts"), [(0, False), (999, False), (1_000, True)])
def test_the_critic_counts_from_its_image_on(seen: int, counts: bool) -> None:
    model = quick(critic_from=1_000)
    assert ("adversarial" in model(batch(seen=seen), rng()).terms) == counts
    loss = ImageCritic(model)(batch(seen=seen), rng())
    assert loss.terms["hinge"] > 0
    assert loss.total.item() == (loss.terms["hinge"].item() if counts else 0)


def test_the_critics_loss_is_the_hinge() -> None:
    model, fake = quick(), torch.zeros(4, 3, 32, 32)
    answers = {"real": torch.tensor([2.0, 0.5, -1.0, 1.0]), "fake": torch.tensor([-3.0, 0.0, 2.0, -1.0])}

    class Answering(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return answers["real" if torch.equal(images, batch().images) else "fake"]

    model.critic = Answering()
    model.rebuild = lambda images, rng: (fake, torch.zeros(()))
    # max(0, 1 - D(x)) = 0, 0.5, 2, 0; max(0, 1 + D(x')) = 0, 1, 3, 0
    assert ImageCritic(model)(batch(), rng()).total.item() == pytest.approx(0.5 * (2.5 / 4 + 4 / 4))


def test_the_codebook_term_is_the_releases() -> None:
    """mean (sg(q) - z)² + 0.25 mean (q - sg(z))²: its gradient to z is 1 part, that to the codebook a quarter."""
    model = quick(adversarial=0.0, codebook_weight=1.0)
    model.autoencoder.quantize.embedding.weight.data.normal_(generator=rng())
    z = torch.randn(2, 3, 8, 8, generator=rng()).requires_grad_()
    quantised, cost, _ = model.autoencoder.quantize(z)
    entries = model.autoencoder.quantize.embedding.weight
    flat = z.detach().permute(0, 2, 3, 1).flatten(0, 2)
    nearest = torch.cdist(flat, entries.detach()).argmin(1)
    q = entries.detach()[nearest].unflatten(0, (2, 8, 8)).permute(0, 3, 1, 2)
    torch.testing.assert_close(quantised.detach(), q, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(cost.detach(), 1.25 * (q - z.detach()).square().mean())
    cost.backward()
    torch.testing.assert_close(z.grad, 2 * (z.detach() - q) / z.numel())
    expected = torch.zeros_like(entries).index_add_(
        0, nearest, 0.25 * 2 * (entries.detach()[nearest] - flat) / z.numel()
    )
    torch.testing.assert_close(entries.grad, expected)


def test_the_kl_term_is_the_divergence_over_the_numbers_of_an_image() -> None:
    """The errors are averaged over the image, where the releases sum both."""
    model = quick(kind="kl", latent=4, adversarial=0.0, kl_weight=0.5)
    _, term = model.rebuild(batch().images, rng())
    posterior = model.autoencoder.encode(batch().images).latent_dist
    expected = kl_divergence(Normal(posterior.mean, posterior.std), Normal(0.0, 1.0)).sum((1, 2, 3)).mean()
    torch.testing.assert_close(term, 0.5 * expected / batch().images[0].numel(), rtol=1e-4, atol=1e-5)


def test_the_noise_of_kl_comes_from_the_generator() -> None:
    model = quick(kind="kl", latent=4, adversarial=0.0)
    images = batch().images
    assert torch.equal(model.rebuild(images, rng())[0], model.rebuild(images, rng())[0])
    assert not torch.equal(model.rebuild(images, rng())[0], model.rebuild(images, torch.Generator().manual_seed(2))[0])


def test_gradients_pass_the_codebook_to_the_encoder() -> None:
    model = quick(adversarial=0.0, codebook_weight=0.0)
    model(batch(), rng()).total.backward()
    assert model.autoencoder.encoder.conv_in.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("changes", "kind", "name"), [({}, VQModel, "vqvae"), ({"kind": "kl", "latent": 4}, AutoencoderKL, "vae")]
)
def test_diffusers_opens_what_is_exported(changes: dict[str, Any], kind: Any, name: str, tmp_path: Path) -> None:
    model = quick(**changes)
    with evaluating(model):
        model.export(batch(16).images, tmp_path)
        network = kind.from_pretrained(tmp_path / name)
        encoded = network.encode(batch(16).images)
        latents = encoded.latents if kind is VQModel else encoded.latent_dist.mean
        assert network.config.scaling_factor == pytest.approx(1 / latents.std().item(), rel=1e-5)
        assert (latents * network.config.scaling_factor).std().item() == pytest.approx(1, rel=1e-5)
        torch.testing.assert_close(network(batch().images).sample, model.autoencoder(batch().images).sample)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert not list(tmp_path.rglob("*.bin"))


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_the_preview_shows_each_image_and_what_comes_back(changes: dict[str, Any]) -> None:
    model = quick(**changes)
    with evaluating(model):
        pictures = model.preview(batch().images, rng())
        expected = model.autoencoder(batch().images).sample.clamp(-1, 1)
    assert pictures.shape == (8, 3, 32, 32)
    assert torch.equal(pictures[::2], batch().images)
    torch.testing.assert_close(pictures[1::2], expected)


def test_the_release_has_its_parameters() -> None:
    """Found here: encoder 1,403,363, decoder 2,068,547, codebook 6,144; with the 1x1 convolutions 3,478,078."""
    network = build_network(AutoencoderSettings(), 3, 64)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert counts["encoder"] == pytest.approx(1.403e6, rel=0.02)
    assert counts["decoder"] == pytest.approx(2.069e6, rel=0.02)
    assert counts["quantize"] == 6_144
    assert sum(counts.values()) == pytest.approx(3.478e6, rel=0.02)
    assert sum(counts.values()) == 3_478_078
    with torch.no_grad():
        assert network.encode(torch.zeros(1, 3, 64, 64)).latents.shape == (1, 3, 16, 16)


@pytest.mark.parametrize(("name", "latent"), [("release", 3), ("release-kl", 4), ("laptop", 3), ("laptop-kl", 4)])
def test_presets_quarter_the_side(name: str, latent: int) -> None:
    preset = PRESETS[name]
    size = preset["data"]["size"]
    settings = AutoencoderSettings(**preset["method"])
    autoencoder.check_sizes(settings, Foundation((3, size, size), 1))
    with torch.no_grad():
        encoded = build_network(settings, 3, size).encode(torch.zeros(1, 3, size, size))
    latents = encoded.latents if settings.kind == "vq" else encoded.latent_dist.mean
    assert latents.shape == (1, latent, size // 4, size // 4)


def test_the_perceptual_term_is_the_mean_distance_of_maps() -> None:
    images, rebuilt = batch().images, batch().images.roll(1, 0).requires_grad_()
    maps = [(a, b) for a, b in zip(*map(perception.image_gradients(), (images, rebuilt)))]
    expected = np.mean([(a - b).abs().mean().item() for a, b in maps])
    value = perceptual_distance(perception.image_gradients(), rebuilt, images, functional.l1_loss)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    value.backward()
    assert rebuilt.grad is not None
    assert perceptual_distance(perception.image_gradients(), images, images, functional.l1_loss) == 0


def test_features_of_another_package_are_taken_and_unknown_ones_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"there is no 'vgg'; there is: gradients\."):
        quick(features="vgg")
    known = {
        "gradients": perception.image_gradients,
        "means": lambda: lambda images: [images.mean((2, 3), keepdim=True)],
    }
    monkeypatch.setattr(perception, "extractors", lambda: known)
    terms = quick(features="means", adversarial=0.0)(batch(), rng()).terms
    rebuilt, _ = quick(features="means", adversarial=0.0).rebuild(batch().images, rng())
    torch.testing.assert_close(terms["perceptual"], (rebuilt - batch().images).mean((2, 3)).abs().mean())


def test_a_network_that_gives_features_is_not_trained_and_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    class Convolution(nn.Conv2d):
        def forward(self, images: torch.Tensor) -> Any:
            return [super().forward(images)]

    monkeypatch.setattr(perception, "extractors", lambda: {"mine": lambda: Convolution(3, 4, 3)})
    model = quick(features="mine")
    players = {id(parameter) for player in model.players() for parameter in player.parameters}
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert trained == players, "every trainable parameter belongs to a player"
    assert not [name for name in model.state_dict() if name.startswith("features")]


@pytest.mark.parametrize(
    ("side", "changes", "message"),
    [
        (18, {"channels": (8, 8, 8)}, r"a multiple of 4, got 18 x 18; set data\.size"),
        (16, {"channels": (8, 18), "adversarial": 0.0}, r"divisible by method\.groups \(4\), got \(8, 18\)"),
        (16, {}, r"critic needs images of at least 32 px, got 16"),
    ],
)
def test_sizes_that_do_not_fit_say_what_would(side: int, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick(side, **changes)
    with pytest.raises(ValueError, match="got 16 x 32"):
        autoencoder.build(AutoencoderSettings(**QUICK), Foundation((3, 16, 32), 1))


def test_images_too_small_for_the_critic_are_told_before_the_first_step() -> None:
    """Its five 4 x 4 convolutions leave nothing of 16 px: 8, 4, 2, 1, 0."""
    with pytest.raises(ValueError, match=r"critic|adversarial"):
        quick(16, adversarial=0.75)
    assert quick(16, adversarial=0.0).players()


@pytest.mark.parametrize(("loss", "power"), [("l1", 1), ("l2", 2)])
def test_errors_of_pixels_are_absolute_or_squared(loss: str, power: int) -> None:
    model, images = quick(loss=loss, adversarial=0.0), batch().images
    with torch.no_grad():
        rebuilt, _ = model.rebuild(images, rng())
        terms = model(batch(), rng()).terms
    torch.testing.assert_close(terms["pixels"], (rebuilt - images).abs().pow(power).mean())
