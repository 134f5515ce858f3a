"""Turning an image moves its angle and nothing else, whatever the weights of the networks are."""

import torch

from unweave.method import Batch, Sampling, evaluating
from unweave.methods.posevae import PoseVAE, PoseVAESettings


def posevae(**settings: int) -> PoseVAE:
    """An untrained one that finds every thing in the middle, so that its networks judge the angle alone."""
    torch.manual_seed(0)
    method = PoseVAE(PoseVAESettings(**settings), (1, 32, 32))
    for parameter in method.locator.weights.parameters():
        torch.nn.init.zeros_(parameter)
    return method


def images(count: int) -> torch.Tensor:
    return 2 * torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(0)) - 1


def test_a_turned_image_has_its_turns_permuted_and_the_same_content() -> None:
    method, pictures = posevae(turns=8), (images(3) + 1) / 2
    with evaluating(method):
        place = torch.zeros(3, 2)
        turns, content = method.look(pictures, place)
        after, same = method.look(pictures.rot90(-1, (2, 3)), place)  # from x towards y
    torch.testing.assert_close(after.log_weight, turns.log_weight.roll(2, 1), atol=1e-4, rtol=0)
    torch.testing.assert_close(same.mean, content.mean, atol=1e-4, rtol=0)


def test_the_angle_of_a_turned_image_is_turned() -> None:
    method, pictures = posevae(turns=8), images(3)
    with evaluating(method):
        cos, sin = method.encode(pictures)[:, :2, 0].unbind(1)
        turned = method.encode(pictures.rot90(-1, (2, 3)))[:, :2, 0]
    torch.testing.assert_close(turned, torch.stack([-sin, cos], 1), atol=1e-4, rtol=0)


def test_the_angle_units_turn_what_is_drawn() -> None:
    method = posevae(turns=4)
    with evaluating(method):
        units = method.encode(images(2))
        quarter = units.clone()
        quarter[:, 0], quarter[:, 1] = -units[:, 1], units[:, 0]
        drawn, turned = (method.decode(each, None, Sampling()) for each in (units, quarter))
    torch.testing.assert_close(turned, drawn.rot90(-1, (2, 3)), atol=1e-4, rtol=0)


def test_all_weights_learn_and_terms_are_of_a_posterior() -> None:
    method = posevae(turns=4)
    loss = method(Batch(images(4), torch.arange(4), 0), torch.Generator().manual_seed(0))
    loss.total.backward()
    assert all(parameter.grad is not None for parameter in method.parameters())
    assert loss.terms["kl_turn"] >= 0
    assert loss.terms["kl"] >= 0
