"""C-S DisMo: codes by row, their distribution, what style does to content, when encoders take over, bad settings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import unweave
from unweave.config import SettingsError, parse
from unweave.method import Batch, Sampling, evaluating
from unweave.methods import csdismo
from unweave.methods.csdismo import CSDisMo, CSDisMoSettings
from unweave.models import perception
from unweave.models.foundation import Foundation

ROWS = 30


def build(**settings: object) -> CSDisMo:
    torch.manual_seed(0)
    small = {"content": 6, "style": 3, "width": 8, "encoders_after": 100}
    return csdismo.build(CSDisMoSettings(**{**small, **settings}), Foundation((3, 16, 16), ROWS))


def batch(seen: int = 0, rows: range = range(8)) -> Batch:
    images = torch.rand(len(rows), 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Batch(images, torch.tensor(rows), seen)


def test_content_has_mean_0_and_variance_1_over_the_data_set() -> None:
    method = build()
    with torch.no_grad():
        content, style = method.codes(batch(rows=range(ROWS)))
    torch.testing.assert_close(content.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(content.var(0, correction=0), torch.ones(6))
    torch.testing.assert_close(style, csdismo.RATE * method.table[:, 6:].detach())
    plain = build(module="concatenation")
    torch.testing.assert_close(plain.codes(batch())[0], csdismo.RATE * plain.table[:8, :6])


def test_only_the_rows_of_the_batch_learn_and_only_before_the_encoders_take_over() -> None:
    method = build()
    method(batch(rows=range(3, 9)), torch.Generator().manual_seed(0)).total.backward()
    assert method.table.grad is not None
    assert method.table.grad.any(1).nonzero().squeeze(1).tolist() == list(range(3, 9))
    generator = [p.grad for p in method.content_encoder.parameters() if p.grad is not None and p.grad.any()]
    assert generator  # the encoders learn from the beginning
    late = build()
    late(batch(100), torch.Generator().manual_seed(0)).total.backward()
    assert late.table.grad is not None
    assert not late.table.grad.any()


def test_distribution_is_zero_for_a_sphered_batch() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 3))
    values -= values.mean(0)
    sphered = values @ np.linalg.inv(np.linalg.cholesky(values.T @ values / 400)).T
    assert csdismo.distribution(torch.tensor(sphered)).item() == pytest.approx(0, abs=1e-9)
    shifted = torch.tensor(sphered + np.array([1, 0, 0]))
    assert csdismo.distribution(shifted).item() == pytest.approx(1 / 3)


def test_discrimination_is_a_guess_for_equal_codes_and_sure_for_distant_ones() -> None:
    rng = torch.Generator().manual_seed(0)
    equal = csdismo.discrimination(torch.ones(8, 3), 0.0, rng)
    assert equal.item() == pytest.approx(np.log(8), rel=1e-4)
    assert csdismo.discrimination(torch.arange(8.0)[:, None].repeat(1, 3), 0.1, rng).item() < 1e-3


def test_a_network_of_features_is_not_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perception, "extractors", lambda: {"mine": lambda: nn.Conv2d(3, 4, 3)})
    method = build(features="mine", perceptual=1.0)
    trained = {id(parameter) for player in method.players() for parameter in player.parameters}
    assert trained == {id(p) for p in method.parameters() if p.requires_grad}
    assert len(trained) < len(list(method.parameters()))
    assert not [name for name in method.state_dict() if name.startswith("features")]


def test_features_are_an_error_beside_that_of_pixels() -> None:
    plain, both = build(), build(perceptual=2.0)
    alone, with_features = (method(batch(), torch.Generator().manual_seed(0)) for method in (plain, both))
    assert "features" not in alone.terms
    difference = with_features.total - alone.total
    torch.testing.assert_close(difference, 2 * with_features.terms["features"])
    with pytest.raises(SettingsError, match="there is no 'vgg'; there is: gradients"):
        build(features="vgg")


@pytest.mark.parametrize("module", ["single", "multiple", "concatenation"])
def test_units_are_content_and_style_and_each_is_swapped_by_its_name(module: str) -> None:
    method = build(module=module)
    images = batch().images
    with evaluating(method):
        units = method.encode(images)
        assert units.shape == (8, 2, 6)
        assert not units[:, 1, 3:].any()
        made = method.decode(units, None, Sampling())
        other = units.clone()
        other[:, list(method.group("style"))] += 1.0
        changed = method.decode(other, None, Sampling())
    assert made.shape == images.shape
    assert not torch.equal(changed, made)
    assert list(method.groups()) == ["content", "style"]


def test_a_run_swaps_content_and_style_by_name_and_keeps_its_codes(tmp_path: Path) -> None:
    run = unweave.train(
        "csdismo",
        data={"name": "sprites", "size": 16, "view": {"keep": {"x": [0, 1], "y": [0]}}},
        method={"content": 6, "style": 3, "width": 8, "encoders_after": 96},
        training={"images": 128, "batch": 32, "preview": 10**9},
        run=tmp_path / "run",
    )
    assert len(run.method().table) == len(run.dataset())
    both = unweave.swap(run, images=[0], partners=[9], units=["content", "style"])
    assert both.images.shape[1] == 2  # content taken, style taken
    assert unweave.swap(run, images=[0], partners=[9], units=["style"]).images.isfinite().all()


def test_only_the_preset_of_the_paper_has_wide_codes() -> None:
    presets = {name: CSDisMoSettings(**preset.get("method", {})) for name, preset in csdismo.PRESETS.items()}
    sizes = {name: (s.content, s.style, s.content_noise, s.style_noise) for name, s in presets.items()}
    assert sizes == {"paper": (64, 16, 0.3, 0.3), "laptop": (12, 12, 1.0, 0.5)}


def test_bad_settings_say_what_to_do() -> None:
    with pytest.raises(SettingsError, match="takes 560 bytes an image, and 400 are the most"):
        parse(CSDisMoSettings, {"content": 128}, "method")
    with pytest.raises(SettingsError, match="the set has 1"):
        csdismo.build(CSDisMoSettings(), Foundation((3, 16, 16), 1))
    with pytest.raises(ValueError, match="multiple of 16"):
        csdismo.build(CSDisMoSettings(), Foundation((3, 23, 23), 9))
