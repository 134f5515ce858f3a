import numpy as np
import pytest
import torch

from unweave import progress
from unweave.evaluation import find_factors as module
from unweave.evaluation.find_factors import find_factors
from unweave.evaluation.metrics.swap_consistency import random_pairs
from unweave.evaluation.run_editor import RunEditor
from unweave.factors.groups import UnitGroups
from unweave.method import Method, Sampling
from unweave.methods.posevae import PoseVAE
from unweave.runs.run import Run

SAMPLING = Sampling("ddim", 2)


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 200)
    monkeypatch.setattr(module, "PAIRS", 8)


def test_every_unit_is_in_one_factor_and_the_strongest_comes_first(quick_run: Run) -> None:
    factors = find_factors(quick_run, quick_run.dataset(), SAMPLING, 0)
    assert sorted(unit for factor in factors for unit in factor.units) == [0, 1, 2, 3]
    effects = [factor.effect for factor in factors]
    assert effects == sorted(effects, reverse=True)
    assert find_factors(quick_run, quick_run.dataset(), SAMPLING, 0)[0].units == factors[0].units


def test_groups_are_factors_whose_effect_is_that_of_all_their_units(
    quick_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def group(codes: np.ndarray, effects: np.ndarray, seed: int, joint: list[tuple[int, ...]]) -> UnitGroups:
        assert effects.shape == (4, 8, 3, 16, 16)
        assert joint == [(1, 3), ()]
        return UnitGroups(((1, 3), (0,), (2,)), (1.0, 1.0, 1.0), (), 0.1, 0.5)

    heard: list[str] = []
    monkeypatch.setattr(module, "group_units", group)
    monkeypatch.setattr(Method, "joint_units", ((1, 3), (99,)))
    monkeypatch.setattr(progress, "message", heard.append)
    dataset = quick_run.dataset()
    factors = find_factors(quick_run, dataset, SAMPLING, 0)
    both = next(factor for factor in factors if factor.units == (1, 3))
    rows = module.sample_rows(len(dataset), 200, 0)
    pairs = random_pairs(np.random.default_rng(0).permutation(rows), 8, 0)
    editor = RunEditor(quick_run.method(), dataset, SAMPLING, 0)
    expected = (editor.swap(*pairs, [1, 3]) - editor.reconstruct(pairs[0])).abs().mean() / 2
    torch.testing.assert_close(torch.tensor(both.effect), expected.cpu(), atol=1e-3, rtol=0)
    assert "not stable" in heard[0]


def test_units_that_are_joined_are_found_among_those_that_are_grouped() -> None:
    assert module._places_of([(2, 9), (5,)], np.array([1, 2, 4, 9])) == [(1, 3), ()]
    assert PoseVAE.joint_units == ((0, 1),)
