"""The discrete unit: its exact posterior, its temperature and its balance; the pose, against its own definition."""

from math import log

import pytest
import torch

from unweave.method import Batch, Sampling, evaluating
from unweave.methods.classvae import SPAN, ClassVAE, ClassVAESettings, inverse_of, perplexity


def classvae(**settings: object) -> ClassVAE:
    """An untrained one whose classes look different."""
    torch.manual_seed(0)
    method = ClassVAE(ClassVAESettings(classes=5, **settings), (1, 16, 16))
    with torch.no_grad():
        method.decoder[0].weight.mul_(20)
        method.decoder[2].weight.mul_(10)
        method.decoder[11].weight.mul_(20)
    return method


def units_of(method: ClassVAE, classes: list[float]) -> torch.Tensor:
    numbers = torch.randn(len(classes), len(method.groups()) - 1, generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.tensor(classes)[:, None], numbers], 1).unsqueeze(-1)


def batch(seen: int = 0, budget: int = 0) -> Batch:
    images = 2 * torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0)) - 1
    return Batch(images, torch.arange(6), seen, budget)


def test_units_are_the_class_the_pose_and_the_style() -> None:
    names = ["class", "stretch_x", "stretch_y", "shear", "turn", "x", "y", "style1", "style2"]
    assert list(classvae(pose="affine").groups()) == names
    assert list(classvae(style=1, pose="none").groups()) == ["class", "style1"]


@pytest.mark.parametrize("pose", ["none", "linear", "affine"])
def test_no_class_explains_a_drawn_picture_better_than_its_own(pose: str) -> None:
    method = classvae(pose=pose)
    units = units_of(method, [0.0, 1, 2, 3, 4])
    with evaluating(method):
        errors = method.errors(method.decode(units, None, Sampling()), units[:, 1:, 0])
    assert errors.argmin(1).tolist() == [0, 1, 2, 3, 4]


def test_the_class_that_is_encoded_explains_the_image_best() -> None:
    method = classvae()
    method.log_prior[2] = 1e4
    with evaluating(method):
        assert (method.encode(batch().images)[:, 0] == 2).all()
        method.log_prior[2] = 0
        units = method.encode(batch().images).squeeze(-1)
        best = method.errors(batch().images, units[:, 1:]).argmin(1)
    assert units[:, 0].tolist() == best.tolist()


def test_what_lies_between_classes_is_drawn_as_the_nearer_one() -> None:
    method = classvae()
    near, at = (units_of(method, classes) for classes in ([-3.0, 1.4, 2.6, 9.0], [0.0, 1, 3, 4]))
    with evaluating(method):
        drawn, expected = (method.decode(units, None, Sampling()) for units in (near, at))
    assert torch.equal(drawn, expected)


def test_the_loss_is_the_mixture_s_at_the_end_and_that_of_each_class_without_style_when_it_is_hot() -> None:
    method = classvae(temperature=100.0, balance=0.0).eval()
    with torch.no_grad():
        method.mixer[2].weight.mul_(50)
    rng = torch.Generator().manual_seed(1)
    posterior = method.posterior(batch().images)
    noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(1))
    errors = method.errors(batch().images, posterior.mean + (0.5 * posterior.log_variance).exp() * noise)
    cold = method(batch(), rng).terms["reconstruction"]
    torch.testing.assert_close(cold, log(5) - (-errors).logsumexp(1).mean(), atol=1e-2, rtol=1e-4)
    z = posterior.mean + (0.5 * posterior.log_variance).exp() * noise
    z[:, 4:] = 0
    hot = method(batch(0, 100), rng.manual_seed(1)).terms["reconstruction"]
    warmth = 100.0 * 16 * 16
    for style, is_so in ((z, True), (posterior.mean + (0.5 * posterior.log_variance).exp() * noise, False)):
        scores = -method.errors(batch().images, style) / warmth
        expected = warmth * (log(5) - scores.logsumexp(1).mean())
        assert torch.isclose(hot, expected, atol=1.0) == is_so, "style is left out"


def test_the_temperature_falls_to_one() -> None:
    method = classvae(temperature=0.1, anneal=0.5)
    start = 0.1 * 16 * 16
    temperatures = [method.temperature(batch(seen, 100)) for seen in (0, 25, 50, 99)]
    assert temperatures == pytest.approx([start, start**0.5, 1, 1])
    assert method.temperature(batch()) == 1


def test_a_longer_training_does_not_heat_up_again() -> None:
    method = classvae(temperature=0.1, anneal=0.5)
    method(batch(50, 100), torch.Generator())
    assert method.temperature(batch(100, 1_000)) == 1
    again = classvae(temperature=0.1, anneal=0.5)
    again.load_state_dict(method.state_dict())
    assert again.temperature(batch(100, 1_000)) == 1


def test_frequent_classes_become_less_likely_and_rare_ones_more() -> None:
    method = classvae(balance=0.1)
    method.log_prior[3] = 1e4
    before = method.log_prior.clone()
    method(batch(), torch.Generator())
    assert (method.log_prior - before).sign().tolist() == [1, 1, 1, -1, 1]
    method.eval()
    before = method.log_prior.clone()
    method(batch(), torch.Generator())
    assert torch.equal(method.log_prior, before)


def test_the_pose_is_a_turn_of_a_shear_of_stretches() -> None:
    pose = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    inverse, shift = inverse_of(pose)
    for row, matrix in zip(SPAN * pose, inverse):
        cos, sin = row[3].cos(), row[3].sin()
        turn = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
        shear = torch.tensor([[1.0, float(row[2])], [0.0, 1.0]])
        torch.testing.assert_close(matrix @ turn @ shear @ row[:2].exp().diag(), torch.eye(2), atol=1e-5, rtol=0)
    assert torch.equal(shift.squeeze(2), SPAN * pose[:, 4:])
    assert torch.equal(inverse_of(pose[:, :4])[1], torch.zeros(4, 2, 1))


def test_place_moves_what_is_drawn() -> None:
    method = classvae(pose="affine")
    units = units_of(method, [1.0])
    units[:, 1:7] = 0
    moved = units.clone()
    moved[:, 5] = 4 / 16 / SPAN  # two of sixteen pixels
    with evaluating(method):
        drawn, after = (method.decode(each, None, Sampling()) for each in (units, moved))
    torch.testing.assert_close(after[..., 2:], drawn[..., :-2], atol=1e-4, rtol=0)


def test_classes_in_use_are_counted() -> None:
    assert float(perplexity(torch.tensor([0.25, 0.25, 0.25, 0.25, 0.0]))) == pytest.approx(4)
