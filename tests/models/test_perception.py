from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from unweave.models import perception


def pictures() -> torch.Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_maps_are_differences_of_neighbours_at_three_scales() -> None:
    images = pictures()
    maps = perception.image_gradients()(images)
    assert [tuple(m.shape[2:]) for m in maps] == [
        (16, 15), (15, 16), (8, 7), (7, 8), (8, 8), (4, 3), (3, 4), (4, 4),
    ]  # fmt: skip
    torch.testing.assert_close(maps[0], images[..., 1:] - images[..., :-1])
    torch.testing.assert_close(maps[1], images[..., 1:, :] - images[..., :-1, :])
    torch.testing.assert_close(maps[4], images.unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5)))
    torch.testing.assert_close(maps[7], functional.interpolate(images, scale_factor=0.25, mode="area"))


def test_edges_are_blind_to_brightness_and_places_are_not() -> None:
    images = pictures()
    plain, brighter = (perception.image_gradients()(shown) for shown in (images, images + 0.25))
    for i, (one, other) in enumerate(zip(plain, brighter)):
        torch.testing.assert_close(other - one, torch.full_like(one, 0.25 if i in (4, 7) else 0.0), atol=1e-6, rtol=0)


@pytest.mark.parametrize("flip", [lambda x: x.flip(-1), lambda x: x.flip(-2)], ids=["left and right", "up and down"])
def test_distances_do_not_change_when_both_pictures_are_flipped(
    flip: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    images, others = pictures(), pictures().roll(3, -1)

    def distances(one: torch.Tensor, other: torch.Tensor) -> list[float]:
        return [(a - b).abs().mean().item() for a, b in zip(*map(perception.image_gradients(), (one, other)))]

    assert distances(flip(images), flip(others)) == pytest.approx(distances(images, others), rel=1e-5)


def test_maps_are_linear_and_carry_a_gradient() -> None:
    images, others = pictures().requires_grad_(), pictures().roll(1, 0)
    extractor = perception.image_gradients()
    for one, other, both in zip(extractor(images), extractor(others), extractor(images + others)):
        torch.testing.assert_close(one + other, both, atol=1e-5, rtol=1e-4)
    (gradient,) = torch.autograd.grad(sum(m.square().sum() for m in extractor(images)), images)
    assert gradient.abs().max() > 0


def test_other_packages_name_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "mine"

        def load(self) -> Callable[[], perception.Extractor]:
            return lambda: lambda images: [images.mean((2, 3), keepdim=True)]

    groups = []

    def points(group: str) -> list[Point]:
        groups.append(group)
        return [Point()]

    monkeypatch.setattr(perception, "entry_points", points)
    known = perception.extractors()
    assert list(known) == ["gradients", "mine"]
    assert groups == ["unweave.features"]
    assert known["mine"]()(pictures())[0].shape == (4, 3, 1, 1)
