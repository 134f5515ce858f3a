"""Laws over every method in the folder, at its laptop preset on small images."""

import pytest
import torch
from tests.conftest import QUICK, small_denoiser

from unweave import registry
from unweave.method import Batch, Generative, Method, Sampling, evaluating
from unweave.models.foundation import Foundation
from unweave.training.ema import covered

SMALL = {
    "encdiff": {**QUICK, "patch": 2},
    "diti": {"dim": 16, "widths": (2, 2, 6, 4, 2)},
    "pdae": {"dim": 16},
    "diffae": {"dim": 16, "encoder_channels": (16, 16), "channels": (16, 16), "attention": (False, True), "groups": 4},
    "wmse": {"outputs": 2, "sub_batch": 4},
    "dotvae": {"pretraining": 0},  # a latent is open at once
    "csdismo": {"width": 8},
    "lord": {"width": 8},
    "disdiff": {"units": 4, "dim": 3, "encoder_width": 16, "encoder_halvings": 3, "identity_width": 8},
}
"""Settings that make a method quick; a new method may add a line, and works without one."""


def build(name: str) -> Method:
    module = registry.module("methods", name)
    torch.manual_seed(0)
    settings = {**module.METHOD.presets["laptop"].get("method", {}), **SMALL.get(name, {})}
    foundation = Foundation(
        (3, 16, 16), 100, denoiser=small_denoiser(prediction="v"), class_count=5, classes=torch.arange(100) % 5
    )
    method = module.build(module.METHOD.settings(**settings), foundation)
    assert isinstance(method, Method)
    return method


def batch() -> Batch:
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Batch(images, torch.arange(4), 0)


@pytest.fixture(params=registry.names("methods"))
def method(request: pytest.FixtureRequest) -> Method:
    return build(request.param)


def test_every_trainable_parameter_has_exactly_one_player(method: Method) -> None:
    owned = [id(parameter) for player in method.players() for parameter in player.parameters]
    trainable = {id(parameter) for parameter in method.parameters() if parameter.requires_grad}
    assert len(owned) == len(set(owned))
    assert set(owned) == trainable


@pytest.mark.parametrize("name", registry.names("methods"))
def test_objectives_are_finite_repeatable_and_reach_every_parameter_sooner_or_later(name: str) -> None:
    method, same = build(name), build(name)
    for player, twin in zip(method.players(), same.players()):
        losses = [one.module(batch(), torch.Generator().manual_seed(7)) for one in (player, twin)]
        assert losses[0].total.isfinite()
        assert losses[0].total.item() == pytest.approx(losses[1].total.item(), rel=1e-4)
        assert losses[0].terms
        for parameter in player.parameters:  # zero-initialised layers hide others from the first gradient
            torch.nn.init.normal_(parameter, std=0.05)
        player.module(batch(), torch.Generator().manual_seed(7)).total.backward()
        assert [name for name, p in method.named_parameters() if p.requires_grad and p.grad is None] == []


def test_encoding_is_deterministic_and_each_image_by_itself_in_eval_mode(method: Method) -> None:
    images = batch().images
    with evaluating(method):
        units = method.encode(images)
        torch.testing.assert_close(method.encode(images[:1]), units[:1], atol=1e-5, rtol=1e-4)
        assert torch.equal(method.encode(images), units)
    assert units.ndim == 3
    assert units.isfinite().all()


def test_averaged_names_are_sub_modules(method: Method) -> None:
    assert bool(covered(method)) == bool(method.averaged)
    for name in method.averaged:
        method.get_submodule(name)


def test_decoding_is_deterministic_from_one_start_and_in_range(method: Method) -> None:
    if not isinstance(method, Generative):
        pytest.skip("no decoder")
    with evaluating(method):
        units = method.encode(batch().images)
        start = method.start(4, torch.Generator().manual_seed(0))
        one, two = (method.decode(units, start, Sampling("ddim", 2)) for _ in range(2))
        inverted = method.invert(batch().images, units, Sampling("ddim", 2))
        again = method.decode(units, inverted, Sampling("ddim", 2))
    assert torch.equal(one, two)
    assert one.shape == again.shape == batch().images.shape
    assert one.min() >= -1
    assert one.max() <= 1
