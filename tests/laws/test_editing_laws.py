"""Laws of editing that hold for every generative method. A method joins by one line in `MAKERS`."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from unweave.editing.heatmap import change_maps
from unweave.editing.interpolate import interpolate_units
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_units
from unweave.editing.traverse import traverse_units
from unweave.method import Generative, Player, Sampling

SAMPLING = Sampling(steps=3)


class Projection(Generative):
    """Two vector units from a projection; the start is the rest of the image, seen through dropout in train mode."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.into = nn.utils.parametrizations.orthogonal(nn.Linear(192, 6, bias=False))
        self.drop = nn.Dropout()

    def players(self) -> list[Player]:
        return [Player("projection", self, list(self.parameters()))]

    def encode(self, images):
        return self.into(self.drop(images.flatten(1))).unflatten(1, (2, 3))

    def start(self, count, rng):
        return torch.randn(count, 3, 8, 8, generator=rng)

    def invert(self, images, units, sampling):
        return images - self.decode(units, torch.zeros_like(images), sampling)

    def decode(self, units, start, sampling, rng=None):
        return start + (units.flatten(1) @ self.into.weight).unflatten(1, (3, 8, 8))


MAKERS: dict[str, Callable[[], Generative]] = {"projection": Projection}


@pytest.fixture(params=sorted(MAKERS))
def method(request) -> Generative:
    return MAKERS[request.param]().train()


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    images, partners = torch.rand(2, 5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return images, partners


@pytest.mark.parametrize("seed", [None, 0])
def test_an_edit_that_changes_nothing_is_the_reconstruction(method, pairs, seed):
    images, partners = pairs
    start = make_start(method, images, sampling=SAMPLING, seed=seed)
    expected = reconstruct_images(method, images, sampling=SAMPLING, start=start)
    every = range(method.eval().encode(images).shape[1])
    for edited in (
        swap_units(method, images, partners, [], sampling=SAMPLING, start=start),
        swap_units(method, images, images, every, sampling=SAMPLING, start=start),
        interpolate_units(method, images, partners, 2, sampling=SAMPLING, start=start)[0],
        interpolate_units(method, images, images, 3, sampling=SAMPLING, start=start, partner_start=start)[1],
    ):
        assert torch.allclose(edited, expected, atol=1e-5)
    assert change_maps(method, images, images, sampling=SAMPLING, start=start).max() < 1e-5


def test_a_step_at_the_own_value_is_the_reconstruction(method, pairs):
    image = pairs[0][:1]
    start = make_start(method, image, sampling=SAMPLING, seed=0)
    own = method.eval().encode(image)[:, 0].detach()
    frames = traverse_units(method, image, [[0]], [own[None]], sampling=SAMPLING, start=start)
    assert torch.allclose(frames[0, 0], reconstruct_images(method, image, sampling=SAMPLING, start=start), atol=1e-5)


def test_interpolation_by_a_single_unit_ends_where_the_swap_does(method, pairs):
    images, partners = pairs
    start = make_start(method, images, sampling=SAMPLING, seed=None)
    path = interpolate_units(method, images, partners, 3, [1], sampling=SAMPLING, start=start)
    assert torch.allclose(
        path[-1], swap_units(method, images, partners, [1], sampling=SAMPLING, start=start), atol=1e-5
    )


def test_chunks_change_nothing(method, pairs):
    images, partners = pairs
    start = make_start(method, images, sampling=SAMPLING, seed=None)
    for edit in (
        lambda size: make_start(method, images, sampling=SAMPLING, seed=None, batch=size),
        lambda size: swap_units(method, images, partners, [0], sampling=SAMPLING, start=start, batch=size),
        lambda size: change_maps(method, images, partners, sampling=SAMPLING, start=start, batch=size),
        lambda size: interpolate_units(method, images, partners, 3, sampling=SAMPLING, start=start, batch=size),
    ):
        whole, chunked = edit(64), edit(2)
        if whole is not None:
            assert torch.allclose(whole, chunked, atol=1e-5)


def test_edits_give_train_mode_back_and_hold_no_graph(method, pairs):
    images, partners = pairs
    modes = [module.training for module in method.modules()]
    start = make_start(method, images, sampling=SAMPLING, seed=0)
    edited = swap_units(method, images, partners, [0], sampling=SAMPLING, start=start)
    assert [module.training for module in method.modules()] == modes
    assert not edited.requires_grad
    assert edited.shape == images.shape
