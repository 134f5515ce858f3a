import numpy as np
import pytest
import torch

from unweave.demos import _regions
from unweave.demos._regions import FactorPictures, components, entropy_score, measure, train_denoiser, train_disdiff
from unweave.demos.disdiff import OURS
from unweave.models.foundation import SplitDenoiser

MAKERS = {"regions": _regions.regions, "hues": _regions.hues, "things": _regions.things, "lanes": _regions.lanes}


def parts(pictures: FactorPictures) -> torch.Tensor:
    """What is left of the pictures less their mean and the main effect of each factor, as a share of the variance."""
    rest = pictures.images - pictures.images.mean(0)
    for factor in pictures.factors.T:
        for level in np.unique(factor):
            rest[factor == level] -= rest[factor == level].mean(0)
    return rest.square().sum() / (pictures.images - pictures.images.mean(0)).square().sum()


@pytest.mark.parametrize("name", MAKERS)
def test_pictures_are_all_combinations_and_add_up_or_do_not(name: str) -> None:
    pictures = MAKERS[name]()
    assert len(np.unique(pictures.factors, axis=0)) == len(pictures.images) == 8**3
    assert len(torch.unique(pictures.images.flatten(1), dim=0)) == 8**3
    assert pictures.images.abs().max() <= 1.0001
    left = parts(pictures)
    assert (left > 0.2) if name == "things" else (left < 1e-6)


def test_levels_on_a_circle_have_no_end() -> None:
    pictures, one, other = _regions.hues(), np.array([[0, 1, 2]]), np.array([[7, 5, 2]])
    assert pictures.apart(one, other).tolist() == [[1, 4, 0]]
    assert _regions.regions().apart(one, other).tolist() == [[7, 4, 0]]


def test_the_entropy_score_is_that_of_the_changes() -> None:
    assert entropy_score(np.eye(3)[[2, 0, 1]]) == pytest.approx(1)
    assert entropy_score(np.ones((2, 3))) == pytest.approx(0, abs=1e-9)
    assert entropy_score(np.array([[1.0, 1.0], [0.0, 6.0]])) == pytest.approx(6 / 8)


def test_independent_components_are_a_yardstick_where_factors_add() -> None:
    found = components(_regions.regions(), 0)
    assert min(found["DCI disentanglement"], found["swap entropy score"], found["rebuilt"]) > 0.99


def test_dense_networks_take_the_place_of_a_u_net() -> None:
    pictures = _regions.regions()
    denoiser = train_denoiser(pictures, 0, 640)
    assert isinstance(denoiser, SplitDenoiser)
    before = [p.clone() for p in denoiser.parameters()]
    method = train_disdiff(pictures, denoiser, OURS, 0, 320)
    assert all(torch.equal(p, q) for p, q in zip(denoiser.parameters(), before))
    facts = measure(method, FactorPictures(pictures.images[:256], pictures.factors[:256]), 0)
    assert {"DCI disentanglement", "swap entropy score", "rebuilt"} <= facts.keys()
    features, noise = denoiser.features_and_noise(pictures.images[:2], torch.tensor([500, 800]))
    fields = method.field(features, method.encode(pictures.images[:2]))
    chosen = method.field(features, method.encode(pictures.images[:2]), [2])
    assert fields.shape == (2, 3, *pictures.images.shape[1:])
    torch.testing.assert_close(chosen, fields[:, 2:])
    assert noise.shape == pictures.images[:2].shape


def test_one_field_of_all_units_takes_the_place_of_their_sum() -> None:
    pictures = _regions.lanes()
    denoiser = train_denoiser(pictures, 0, 640)
    method = train_disdiff(pictures, denoiser, {**OURS, "weight": 0.0}, 0, 320, _regions.JointField)
    assert isinstance(method.field, _regions.JointField)
    features, _ = denoiser.features_and_noise(pictures.images[:2], torch.tensor([500, 800]))
    units = method.encode(pictures.images[:2])
    field = method.field(features, units)
    assert field.shape == (2, 1, *pictures.images.shape[1:])
    units[:, 2] += 1
    assert not torch.equal(method.field(features, units), field)
    facts = measure(method, pictures, 0)
    assert {"DCI disentanglement", "swap entropy score", "rebuilt"} <= facts.keys()
    assert all(0 <= value <= 1 for value in facts.values())
