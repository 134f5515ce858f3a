from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import QUICK

from unweave.method import Batch, Sampling, evaluating
from unweave.methods import encdiff
from unweave.methods.encdiff import PRESETS, EncDiff, EncDiffSettings, attention_maps
from unweave.models.foundation import Foundation
from unweave.models.latents import LatentSpace
from unweave.models.pretraining import autoencoder

SHAPE = Foundation((3, 16, 16), 100)
VARIANTS: dict[str, dict[str, Any]] = {
    "scalar": {},
    "vector": {"tokens": "vector"},
    "adagn": {"condition": "adagn"},
    "no diffusion": {"diffusion": False},
    "self-attention": {"self_attention": True},
    "eps l1": {"prediction": "eps", "loss": "l1", "schedule": "sqrt_linear"},
    "v": {"prediction": "v", "weight": "sigmoid"},
    "paper encoder": {"encoder": "paper"},
    "group norm": {"encoder_norm": "group"},
}


def quick(**changes: Any) -> EncDiff:
    torch.manual_seed(0)
    return encdiff.build(EncDiffSettings(**{**PRESETS["laptop"]["method"], "patch": 2, **QUICK, **changes}), SHAPE)


def batch(count: int = 8) -> Batch:
    rng = torch.Generator().manual_seed(0)
    return Batch(torch.rand(count, 3, 16, 16, generator=rng) * 2 - 1, torch.arange(count), 0)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_trains_encodes_and_decodes(changes: dict[str, Any]) -> None:
    method = quick(**changes)
    optimiser = torch.optim.AdamW(method.parameters(), 2e-3)
    losses = []
    for _ in range(30):
        loss = method(batch(), torch.Generator().manual_seed(1))
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        losses.append(list(loss.terms.values())[-1].item())  # not weighted: balanced weights keep their sum
    assert losses[-1] < losses[0]
    encoder = next(method.encoder.parameters())
    assert encoder.grad is not None
    assert encoder.grad.abs().max() > 0, "no gradient reaches the encoder"
    with evaluating(method):
        units = method.encode(batch().images)
        start = method.start(8, torch.Generator().manual_seed(2))
        images = method.decode(units, start, Sampling("ddim", 3))
    assert units.shape == (8, 4, 8 if changes.get("tokens") == "vector" else 1)
    assert images.shape == (8, 3, 16, 16)
    assert images.abs().max() <= 1


def test_the_first_loss_of_the_release_is_the_mean_absolute_noise() -> None:
    method = quick(prediction="eps", loss="l1", weight="uniform")
    losses = [method(batch(64), torch.Generator().manual_seed(seed)).total.item() for seed in range(4)]
    assert np.mean(losses) == pytest.approx((2 / np.pi) ** 0.5, abs=0.01)  # 0.798


def test_lifting_a_swapped_unit_equals_swapping_its_token() -> None:
    method = quick()
    one, other = torch.randn(2, 4, 1), torch.randn(2, 4, 1)
    swapped = one.clone()
    swapped[:, 2] = other[:, 2]
    tokens = method.lift(one).clone()
    tokens[:, 2] = method.lift(other)[:, 2]
    torch.testing.assert_close(method.lift(swapped), tokens)


@pytest.mark.parametrize("self_attention", [True, False])
def test_attention_maps_sum_to_one_over_units_and_leave_the_method_as_it_was(self_attention: bool) -> None:
    method = quick(self_attention=self_attention)
    for parameter in method.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    own = method.unet.attn_processors
    with evaluating(method):
        start = method.start(2, torch.Generator().manual_seed(0))
        before = method.decode(method.encode(batch(2).images), start, Sampling("ddim", 2))
        maps = attention_maps(method, batch(2).images, start, Sampling("ddim", 2))
        after = method.decode(method.encode(batch(2).images), start, Sampling("ddim", 2))
    assert maps.shape == (2, 4, 8, 8)
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 8, 8))
    assert torch.equal(before, after)
    assert method.unet.attn_processors == own
    with pytest.raises(ValueError, match="cross-attention"):
        attention_maps(quick(condition="adagn"), batch(2).images, start, Sampling("ddim", 2))


def test_samplers_never_ask_for_a_time_that_training_left_out() -> None:
    method = quick(first_time=400)
    times: list[int] = []
    method.unet.register_forward_pre_hook(lambda _, inputs: times.append(int(inputs[1].min())))
    with evaluating(method):
        units = method.encode(batch(2).images)
        start = method.invert(batch(2).images, units, Sampling("dpmsolver++", 10))
        method.decode(units, start, Sampling("dpmsolver++", 10))
    assert 18 <= len(times) <= 22
    assert min(times) >= 400


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete_settings(name: str) -> None:
    settings = EncDiffSettings(**PRESETS[name]["method"])
    assert len(settings.attention) == len(settings.channels)


def test_the_release_preset_is_the_release() -> None:
    s = EncDiffSettings(**PRESETS["release"]["method"])
    assert (s.units, s.token, s.schedule, s.loss, s.prediction) == (20, 16, "sqrt_linear", "l1", "eps")
    assert PRESETS["release"]["training"]["rate"] == pytest.approx(2e-6 * 128)
    assert quick().averaged == ("unet",)
    assert quick(average_all=True).averaged == ("",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch": 16}, "multiple of 32"),
        ({"attention": (True,)}, "one value per level"),
        ({"groups": 5}, "divisible"),
    ],
)
def test_settings_that_do_not_fit_say_what_would(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick(**changes)


def test_it_works_in_the_latents_of_an_autoencoder() -> None:
    torch.manual_seed(0)
    latent = autoencoder.AutoencoderSettings(
        channels=(8, 8), layers=1, groups=4, codebook=16, latent=4, adversarial=0.0
    )
    space = LatentSpace(autoencoder.build_network(latent, 3, 16), (3, 16, 16))
    settings = EncDiffSettings(**{**PRESETS["laptop"]["method"], **QUICK, "patch": 1})
    method = encdiff.build(settings, Foundation((3, 16, 16), 100, space))
    assert method.unet.config.in_channels == 4
    assert not [name for name in method.state_dict() if name.startswith("space")]
    loss = method(batch(), torch.Generator().manual_seed(1))
    loss.total.backward()
    assert loss.total.isfinite()
    with evaluating(method):
        units = method.encode(batch().images)
        start = method.invert(batch().images, units, Sampling("ddim", 3))
        images = method.decode(units, start, Sampling("ddim", 3))
        maps = attention_maps(method, batch(2).images, start[:2], Sampling("ddim", 2))
    assert start.shape == (8, 4, 8, 8)
    assert images.shape == (8, 3, 16, 16)
    assert maps.shape == (2, 4, 8, 8)
