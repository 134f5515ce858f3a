"""DOT-VAE: when latents open, what closed ones are, what an intervention changes, and bad schedules."""

from pathlib import Path

import pytest
import torch

import unweave
from unweave.config import SettingsError
from unweave.method import Batch, Sampling, evaluating
from unweave.methods import dotvae
from unweave.methods.dotvae import DOTVAE, DOTVAESettings
from unweave.models.foundation import Foundation

SCHEDULE = {"units": 4, "rest": 3, "pretraining": 100, "every": 50, "rise_after": 300, "rise": 100, "beta_end": 5.0}


def build(**settings: object) -> DOTVAE:
    torch.manual_seed(0)
    return dotvae.build(DOTVAESettings(**{**SCHEDULE, **settings}), Foundation((3, 16, 16), 100))


def batch(seen: int = 0) -> Batch:
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Batch(images, torch.arange(8), seen)


def test_latents_open_one_after_another_and_beta_rises() -> None:
    s = DOTVAESettings(**SCHEDULE)
    assert [dotvae.opened_at(s, seen) for seen in (0, 99, 100, 149, 150, 250, 9_999)] == [0, 0, 1, 1, 2, 4, 4]
    assert [dotvae.beta_at(s, seen) for seen in (0, 300, 350, 400, 900)] == [1, 1, 3, 5, 5]
    assert dotvae.opened_at(DOTVAESettings(**{**SCHEDULE, "every": 0}), 100) == 4


def test_closed_latents_are_zero_cost_nothing_and_are_not_seen_by_the_decoder() -> None:
    method = build()
    terms = method(batch(150), torch.Generator().manual_seed(0)).terms
    assert [terms[f"kl_{i}"] > 0 for i in range(4)] == [True, True, False, False]
    with evaluating(method):
        units = method.encode(batch().images)
        assert not units[:, 2:].any()
        assert units[:, :2].any()
        start = method.invert(batch().images, units, Sampling())
        moved = units.clone()
        moved[:, 3] = 9
        assert torch.equal(method.decode(moved, start, Sampling()), method.decode(units, start, Sampling()))
        moved[:, 1] = 9
        assert not torch.equal(method.decode(moved, start, Sampling()), method.decode(units, start, Sampling()))


def test_what_is_opened_is_in_the_weights() -> None:
    method, other = build(), build()
    method(batch(200), torch.Generator().manual_seed(0))
    other.load_state_dict(method.state_dict())
    assert int(other.opened) == 3


@pytest.mark.parametrize("change_to", ["prior", "permute"])
def test_an_intervention_changes_one_opened_latent(change_to: str) -> None:
    method = build(change_to=change_to)
    z1 = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    assert method.intervene(z1, torch.Generator().manual_seed(0)) is z1  # none is open
    method.opened.fill_(2)
    moved = method.intervene(z1, torch.Generator().manual_seed(0)) != z1
    assert moved.sum(1).max() == 1
    assert moved.any(0).tolist() == [True, True, False, False]


def test_the_second_step_begins_with_the_first_latent_and_can_be_left_out() -> None:
    names = {"reencoding", "adversary"}
    assert not names & set(build()(batch(), torch.Generator().manual_seed(0)).terms)
    assert names <= set(build()(batch(100), torch.Generator().manual_seed(0)).terms)
    off = build(interventions=False)
    assert not names & set(off(batch(100), torch.Generator().manual_seed(0)).terms)
    assert [player.name for player in off.players()] == ["dotvae"]


def test_without_their_weights_the_second_step_is_only_looked_at() -> None:
    on, off = build(reencoding=0, adversary=0), build(interventions=False)
    totals = [one(batch(100), torch.Generator().manual_seed(0)).total.item() for one in (on, off)]
    assert totals[0] == pytest.approx(totals[1])


def test_more_latents_than_can_be_opened_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only 4 would be opened"):
        unweave.train(
            "dotvae",
            data={"name": "sprites", "size": 16},
            method={"units": 10, "pretraining": 64, "every": 64},
            training={"images": 320, "batch": 32},
            run=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_one_image_is_refused() -> None:
    with pytest.raises(SettingsError, match="the set has 1: dotvae needs at least 2"):
        dotvae.build(DOTVAESettings(), Foundation((3, 16, 16), 1))
