"""QLAE: rounding against its definition, which gradients go where, and that it learns."""

from pathlib import Path

import pytest
import torch

import unweave
from unweave.method import Batch, Sampling, evaluating
from unweave.methods.qlae import METHOD, QLAE, QLAESettings, build, nearest_values
from unweave.models.foundation import Foundation

FOUNDATION = Foundation((3, 16, 16), 100)


def method(**settings: object) -> QLAE:
    torch.manual_seed(0)
    return build(QLAESettings(**settings), FOUNDATION)


def batch(count: int = 6) -> Batch:
    return Batch(
        torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1, torch.arange(count), 0
    )


def test_each_unit_takes_the_nearest_of_its_own_values() -> None:
    values = torch.tensor([[-1.0, 0.0, 1.0], [10.0, 20.0, 30.0]])
    z = torch.tensor([[0.4, 14.0], [0.6, 99.0], [-7.0, -7.0]])
    assert nearest_values(z, values).tolist() == [[0.0, 10.0], [1.0, 30.0], [-1.0, 10.0]]


def test_units_begin_with_even_values_and_codes_are_among_them() -> None:
    qlae = method(units=3, values=5)
    assert qlae.values.tolist() == [[-0.5, -0.25, 0.0, 0.25, 0.5]] * 3
    with evaluating(qlae):
        units = qlae.encode(batch().images)
        assert torch.isin(units, qlae.values[0]).all()
        assert qlae.decode(units, None, Sampling()).shape == (6, 3, 16, 16)


def test_the_decoder_s_gradient_passes_the_rounding_and_the_values_follow_the_codes() -> None:
    qlae = method(units=3, values=4, quantization=0.0, commitment=0.0)
    qlae(batch(), torch.Generator()).total.backward()
    assert qlae.values.grad is None or not qlae.values.grad.any()
    assert any(p.grad.any() for p in qlae.encoder.parameters())
    qlae = method(units=3, values=4, quantization=2.0, commitment=0.0)
    loss = qlae(batch(), torch.Generator())
    loss.total.backward()
    z = qlae.numbers(batch().images).detach()
    expected = torch.zeros_like(qlae.values)
    index = (z.unsqueeze(-1) - qlae.values.detach()).abs().argmin(-1)
    for row, of_row in zip(z, index):
        for unit, value in enumerate(of_row):
            expected[unit, value] += 2.0 * 2 * (qlae.values.detach()[unit, value] - row[unit]) / z.numel()
    torch.testing.assert_close(qlae.values.grad, expected)
    assert loss.total == loss.terms["reconstruction"] + 2.0 * loss.terms["quantization"]


def test_the_decay_is_the_paper_s() -> None:
    assert {preset["training"]["weight_decay"] for preset in METHOD.presets.values()} == {0.1}


@pytest.mark.slow
def test_it_learns_to_rebuild(tmp_path: Path) -> None:
    run = unweave.train(
        "qlae", data={"name": "sprites", "size": 16}, method={"units": 8},
        training={"images": 12_800, "batch": 64, "precision": "float32", "preview": 12_800}, run=tmp_path / "run",
    )  # fmt: skip
    losses = [record["autoencoder/reconstruction"] for record in run.history()]
    assert losses[-1] < 0.9 * losses[0]
