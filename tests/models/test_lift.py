import torch
from torch import nn

from unweave.models.lift import Lift


def test_the_batched_lift_equals_one_mlp_per_unit() -> None:
    lift = Lift(3, 5, hidden=(4, 6))
    units = torch.randn(7, 3, 1)
    for unit in range(3):
        mlp = nn.Sequential(nn.Linear(1, 4), nn.ELU(), nn.Linear(4, 6), nn.ELU(), nn.Linear(6, 5))
        for linear, layer in zip([mlp[0], mlp[2], mlp[4]], lift.layers):
            linear.weight.data, linear.bias.data = layer.weight[unit].T, layer.bias[unit, 0]
        torch.testing.assert_close(lift(units)[:, unit], mlp(units[:, unit]))


def test_lifts_of_the_release_have_their_parameters() -> None:
    assert sum(p.numel() for p in Lift(20, 16).parameters()) == 210_240
    assert sum(p.numel() for p in Lift(20, 32).parameters()) == 251_520


def test_a_token_depends_on_its_own_unit_alone() -> None:
    lift = Lift(4, 8)
    units = torch.randn(2, 4, 1)
    changed = units.clone()
    changed[:, 2] += 1
    differs = (lift(units) != lift(changed)).any(-1)
    assert differs.tolist() == [[False, False, True, False]] * 2
