"""Placing and putting upright undo each other, and move by what they say."""

import torch
from torch import nn

from unweave.models.pose import WIDTH, Locator, Pose, place, upright


def bumps(count: int, seed: int = 0) -> torch.Tensor:
    """Smooth pictures of 32 x 32, 0 at the border."""
    places = torch.randn(count, 3, 2, 1, 1, generator=torch.Generator().manual_seed(seed)) * 3 + 15.5
    axis = torch.arange(32.0)
    across, down = axis[None, None, None] - places[:, :, 0], axis[None, None, :, None] - places[:, :, 1]
    return (-(across.square() + down.square()) / 18).exp().mean(1, keepdim=True)


def test_upright_undoes_place() -> None:
    images = bumps(6)
    pose = Pose(torch.linspace(-0.2, 0.2, 12).view(6, 2), torch.linspace(0, 6, 6), 1.1)
    assert (upright(place(images, pose), pose) - images).abs().mean() < 0.01


def test_place_moves_right_and_down_by_halves_of_the_side() -> None:
    image = torch.zeros(1, 1, 32, 32)
    image[0, 0, 10, 12] = 1
    pose = Pose(torch.tensor([[4 / 16, 2 / 16]]), torch.zeros(1))
    assert place(image, pose)[0, 0, 12, 16] == 1


def test_a_quarter_turn_is_from_x_towards_y() -> None:
    images = bumps(2)
    pose = Pose(torch.zeros(2, 2), torch.full((2,), torch.pi / 2))
    torch.testing.assert_close(place(images, pose), images.rot90(-1, (2, 3)), atol=1e-5, rtol=0)


def test_the_place_of_a_moved_thing_is_moved() -> None:
    locator = Locator(1)
    locator.features = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(1, WIDTH, 1))
    for layer in (locator.features[1], locator.weights):
        nn.init.ones_(layer.weight)  # weights of exp(32) on the thing, 1 on the ground
        nn.init.zeros_(layer.bias)
    images = torch.zeros(2, 1, 32, 32)
    images[0, 0, 12:16, 10:14] = images[1, 0, 16:20, 12:16] = 1
    torch.testing.assert_close(locator(images), torch.tensor([[-4 / 16, -2 / 16], [-2 / 16, 2 / 16]]))
