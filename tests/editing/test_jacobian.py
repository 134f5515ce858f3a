"""Directions of a Jacobian against closed forms: the posterior mean of a Gaussian is linear in x_t."""

import pytest
import torch

from unweave.editing.jacobian import leading_directions, local_directions_at, pull, push

SIDE, PIXELS = 4, 16
A, B = 0.6, 0.8  # x_t = A x_0 + B eps


def jacobian_of(covariance: torch.Tensor) -> torch.Tensor:
    """Of E[x_0 | x_t] for x_0 ~ N(0, covariance): A S (A² S + B² 1)⁻¹."""
    return A * covariance @ torch.linalg.inv(A**2 * covariance + B**2 * torch.eye(PIXELS))


def posterior_mean(jacobian: torch.Tensor):
    return lambda x_t: (x_t.flatten(1) @ jacobian.T).unflatten(1, (1, SIDE, SIDE))


@pytest.fixture(params=[0, 64], ids=["iterated", "whole"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("unweave.editing.jacobian.FEW", request.param)
    return request.param


pytestmark = pytest.mark.usefixtures("few")


@pytest.fixture
def covariance() -> torch.Tensor:
    rng = torch.Generator().manual_seed(3)
    root = torch.randn(PIXELS, PIXELS, generator=rng) * torch.logspace(0.5, -1, PIXELS)
    return root @ root.T


@pytest.fixture
def point() -> torch.Tensor:
    return torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def mask() -> torch.Tensor:
    inside = torch.zeros(SIDE, SIDE)
    inside[:2, :3] = 1
    return inside


def test_without_a_mask_they_are_the_right_singular_vectors(covariance: torch.Tensor, point: torch.Tensor) -> None:
    jacobian = jacobian_of(covariance)
    found = leading_directions(posterior_mean(jacobian), point, torch.ones(SIDE, SIDE), 3, iterations=60)
    _, gains, vectors = torch.linalg.svd(jacobian)
    assert torch.allclose(found.gains, gains[:3], rtol=1e-4)
    cosines = (found.vectors.flatten(1) * vectors[:3]).sum(1).abs()
    assert (cosines > 0.999).all(), cosines
    gram = found.vectors.flatten(1) @ found.vectors.flatten(1).T
    assert torch.allclose(gram, torch.eye(3), atol=1e-5)


def test_the_gains_of_a_gaussian_are_those_of_its_variances(point: torch.Tensor) -> None:
    variances = torch.linspace(4, 0.1, PIXELS)
    function = posterior_mean(jacobian_of(torch.diag(variances)))
    found = leading_directions(function, point, torch.ones(SIDE, SIDE), 2, iterations=200)
    expected = A * variances / (A**2 * variances + B**2)
    assert torch.allclose(found.gains, expected[:2], rtol=1e-3)
    assert found.vectors.flatten(1).abs().argmax(1).tolist() == [0, 1]


def test_the_null_space_leaves_the_outside_as_it_is(
    covariance: torch.Tensor, point: torch.Tensor, mask: torch.Tensor
) -> None:
    jacobian, rows = jacobian_of(covariance), mask.flatten().bool()
    function = posterior_mean(jacobian)
    free = local_directions_at(function, point, mask, 2, 0, iterations=60)
    kept = local_directions_at(function, point, mask, 2, int((~rows).sum()), iterations=60)
    outside = [push(function, point, found.vectors)[:, 0, mask == 0].norm(dim=1) for found in (free, kept)]
    assert (outside[0] > 0.05).all(), outside
    assert (outside[1] < 1e-4).all(), outside
    basis = torch.linalg.svd(jacobian[~rows])[2][int((~rows).sum()) :].T  # of all that leaves the outside
    expected = torch.linalg.svd(jacobian[rows] @ basis)[1][:2]
    assert torch.allclose(kept.gains, expected, rtol=1e-3)
    assert (kept.gains <= free.gains + 1e-5).all()


def test_parts_that_are_independent_need_no_null_space(point: torch.Tensor, mask: torch.Tensor) -> None:
    order = torch.argsort(mask.flatten(), descending=True)
    blocks = torch.zeros(PIXELS, PIXELS)
    rng = torch.Generator().manual_seed(5)
    for part in (order[:6], order[6:]):
        root = torch.randn(len(part), len(part), generator=rng)
        blocks[part[:, None], part] = root @ root.T
    function = posterior_mean(jacobian_of(blocks))
    found = local_directions_at(function, point, mask, 2, 0, iterations=40)
    assert push(function, point, found.vectors)[:, 0, mask == 0].abs().max() < 1e-5


def test_push_and_pull_are_transposes(point: torch.Tensor) -> None:
    def bent(x: torch.Tensor) -> torch.Tensor:
        return (x.roll(1, 3) * x).sin() + x.square().sum((2, 3), keepdim=True)

    one, other = torch.randn(2, 5, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    ends = [bent(point + side * 1e-3 * one) for side in (-1, 1)]
    assert torch.allclose(push(bent, point, one), (ends[1] - ends[0]) / 2e-3, atol=1e-2)
    there, back = (push(bent, point, one) * other).sum(), (one * pull(bent, point, other)).sum()
    assert torch.allclose(there, back, rtol=1e-4)


def test_more_directions_than_numbers_are_refused(point: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="17 directions where there is room for 16"):
        leading_directions(lambda x: x, point, torch.ones(SIDE, SIDE), 17)
