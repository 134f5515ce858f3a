"""A direction for one attribute: it is found, it is sparse, and moving along it is what the release does."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from unweave.editing.attribute_direction import (
    RELEASED_SETTINGS,
    Direction,
    draw_mask,
    fit_direction,
    mask_budget,
    move_codes,
    project_scores,
)

FEW = RELEASED_SETTINGS._replace(kept=3, steps=2_000)


@pytest.mark.long
def test_the_released_mask_finds_three_numbers_of_512() -> None:
    rng = torch.Generator().manual_seed(1)
    codes = torch.randn(2_000, 512, generator=rng)
    labels = (codes[:, 4] - codes[:, 70] + codes[:, 411] > 0).long()
    direction = fit_direction(codes, labels)
    assert direction.score.sum() <= 16 + 1e-2
    assert set(direction.score.topk(3).indices.tolist()) == {4, 70, 411}
    assert torch.count_nonzero(direction.weight) == 16
    assert set(direction.weight.abs().topk(3).indices.tolist()) == {4, 70, 411}


def planted(rows: int = 1_500, dim: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes of which numbers 4, 7 and 11 tell the label."""
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(rows, dim, generator=rng) * torch.linspace(0.1, 10, dim) + 5
    standard = (codes - codes.mean(0)) / codes.std(0)
    labels = (standard[:, 4] - standard[:, 7] + standard[:, 11] + 0.3 * torch.randn(rows, generator=rng) > 0).long()
    return codes, labels


def test_the_planted_numbers_are_found_and_no_others() -> None:
    codes, labels = planted()
    direction = fit_direction(codes, labels, FEW)
    assert torch.nonzero(direction.weight).flatten().tolist() == [4, 7, 11]
    assert direction.weight[4] > 0
    assert direction.weight[7] < 0
    assert direction.score.sum() <= 3 + 1e-3
    scores = ((codes - direction.mean) / direction.deviation) @ direction.weight
    assert roc_auc_score(labels.numpy(), scores.numpy()) > 0.95


def test_fitting_is_repeatable_also_inside_inference_mode() -> None:
    codes, labels = planted(300)
    one = fit_direction(codes, labels, FEW, seed=1)
    with torch.inference_mode():
        two = fit_direction(codes.clone(), labels.clone(), FEW, seed=1)
    assert torch.equal(one.weight, two.weight)


def test_labels_of_one_class_are_refused() -> None:
    with pytest.raises(ValueError, match="both values"):
        fit_direction(torch.randn(10, 4), torch.zeros(10, dtype=torch.long))


def test_moving_is_the_formula_of_the_release() -> None:
    mean, deviation = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 2.0, 0.5, 1.0])
    direction = Direction(torch.tensor([3.0, 0.0, -4.0, 0.0]), torch.ones(4), mean, deviation)
    codes = torch.randn(5, 4)
    by_hand = codes + deviation * 0.3 * 2 * torch.tensor([0.6, 0.0, -0.8, 0.0])
    torch.testing.assert_close(move_codes(codes, direction, 0.3), by_hand)
    torch.testing.assert_close(move_codes(codes, direction, 0.0), codes)
    with pytest.raises(ValueError, match="learnt nothing"):
        move_codes(codes, direction._replace(weight=torch.zeros(4)), 0.3)


def test_projection_sums_to_the_budget_and_keeps_the_order() -> None:
    score = torch.tensor([0.9, 0.2, 1.4, 0.5, -0.3])
    projected = project_scores(score, 1.5)
    assert projected.sum().item() == pytest.approx(1.5, abs=1e-4)
    assert projected.min() >= 0
    assert projected.max() <= 1
    assert projected.argsort().tolist()[-2:] == [0, 2]
    assert torch.equal(project_scores(torch.tensor([0.1, 0.2]), 1.5), torch.tensor([0.1, 0.2]))


def test_the_budget_falls_by_a_cubic_ramp_between_10_and_40_per_cent() -> None:
    assert [mask_budget(done, 512, 16) for done in (0.0, 0.1, 0.4, 1.0)] == [512, 512, 16, 16]
    assert mask_budget(0.25, 512, 16) == pytest.approx(16 + 496 / 8)


def test_the_relaxed_mask_is_hard_when_sharp_and_has_the_right_mean() -> None:
    rng = torch.Generator().manual_seed(0)
    soft = draw_mask(torch.full((20_000,), 0.3), 1.0, rng)
    sharp = draw_mask(torch.full((20_000,), 0.3), 33.0, rng)
    assert ((sharp < 0.05) | (sharp > 0.95)).float().mean() > 0.9
    assert (soft > 0.5).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert np.isclose((sharp > 0.5).float().mean().item(), 0.3, atol=0.02)
