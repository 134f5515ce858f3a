from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.conftest import QUICK
from tests.laws.test_method_laws import SMALL
from tests.training.test_train import DATA, TRAINING, impatient

import unweave
from unweave import progress, registry
from unweave.config import SettingsError
from unweave.method import Batch, find_method
from unweave.runs.plan import plan
from unweave.tensors import Images
from unweave.training.augment import Chances, augmented, check_augment, view_of
from unweave.training.method_builder import builder

TAKING = [name for name in registry.names("methods") if find_method(name).takes_views]


def pictures(count: int = 8, height: int = 16, width: int = 16) -> Images:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def chances(count: int) -> Chances:
    return torch.rand(count, 4, generator=rng())


def test_a_flip_is_the_image_or_its_mirror_image() -> None:
    images = pictures(32)
    views = view_of(images, ["flip"], chances(32))
    mirrored = [torch.allclose(view, image.flip(-1), atol=1e-4) for view, image in zip(views, images)]
    kept = [torch.allclose(view, image, atol=1e-4) for view, image in zip(views, images)]
    assert all(one != other for one, other in zip(mirrored, kept))
    assert 8 < sum(mirrored) < 24


def test_a_shift_is_of_whole_pixels_up_to_an_eighth_of_the_side() -> None:
    images = torch.full((64, 1, 16, 32), -1.0)
    images[:, :, 8, 16] = 1
    places = [tuple(map(int, (view[0] > 0.99).nonzero()[0])) for view in view_of(images, ["shift"], chances(64))]
    assert {y - 8 for y, _ in places} == set(range(-2, 3))
    assert {x - 16 for _, x in places} == set(range(-4, 5))


def test_a_turn_keeps_what_is_round_and_turns_the_rest() -> None:
    y, x = torch.meshgrid(torch.arange(16) - 7.5, torch.arange(32) - 15.5, indexing="ij")
    disc, bar = torch.exp(-(x**2 + y**2) / 16), torch.exp(-(x**2) / 4 - y**2 / 36)
    images = (2 * torch.stack([disc, bar]) - 1).unsqueeze(1).repeat(4, 1, 1, 1)
    views = view_of(images, ["rotate"], chances(8))
    inside = (x**2 + y**2 < 36).expand(8, 1, -1, -1)
    change = torch.where(inside, (views - images).abs(), 0).amax((1, 2, 3))
    assert change[::2].max() < 0.04
    assert change[1::2].max() > 0.5
    mass = torch.where(inside, views + 1, 0)[1::2].sum((1, 2, 3))
    assert mass.numpy() == pytest.approx(float((images[1] + 1)[:, inside[0, 0]].sum()), rel=0.03)


@pytest.mark.parametrize(("count", "budget"), [(8, 0), (7, 0), (5, 45)])
def test_views_are_a_function_of_seed_and_images_seen_whatever_the_processes(count: int, budget: int) -> None:
    batch = Batch(pictures(count), torch.arange(count), seen=40, budget=budget, seed=3)
    size = count if not budget else 8  # the last batch has what is left of the budget

    def both(batch: Batch, share: tuple[int, int] = (0, 1)) -> torch.Tensor:
        one = next(augmented([batch], ["flip", "rotate", "shift"], size, share))
        assert one.views is not None
        return torch.stack([one.images, one.views])

    whole = both(batch)
    assert torch.equal(whole, both(batch))
    parts = [slice(0, count // 2), slice(count // 2, count)]
    halves = [
        both(replace(batch, images=batch.images[part], index=batch.index[part]), (i, 2)) for i, part in enumerate(parts)
    ]
    assert torch.equal(whole, torch.cat(halves, 1))
    assert not torch.allclose(whole[0], whole[1])
    assert not torch.equal(whole, both(replace(batch, seen=48, budget=budget and budget + 8)))
    assert not torch.equal(whole, both(replace(batch, seed=4)))
    assert next(augmented([batch], [], size)) is batch


@pytest.mark.parametrize("name", TAKING)
def test_the_objective_encodes_the_views(name: str) -> None:
    build = builder(name, SMALL.get(name))
    batch, method = build.batch(), build().train()
    for parameter in method.parameters():  # zero-initialised layers hide the code
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1, generator=rng())
    views = (-batch.images).requires_grad_()
    method.players()[0].module(replace(batch, views=views), rng()).total.backward()
    assert views.grad is not None
    assert views.grad.any()


def test_an_interrupted_training_on_views_goes_on_as_it_would_have(tmp_path: Path) -> None:
    training = {**TRAINING, "augment": "flip,rotate, shift"}
    whole = unweave.train("encdiff", data=DATA, method=QUICK, training=training, run=tmp_path / "whole")
    with progress.use(impatient()), pytest.raises(KeyboardInterrupt):
        unweave.train("encdiff", data=DATA, method=QUICK, training=training, run=tmp_path / "part")
    part = unweave.train(tmp_path / "part", resume=True)
    one, other = (run.method("raw").state_dict() for run in (whole, part))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert part.settings.training.augment == ("flip", "rotate", "shift")


@pytest.mark.parametrize(
    ("method", "remedy"),
    [("simclr", "set method.views"), ("lord", "These methods can: .*betavae.*encdiff"), ("hlle_ica", "cannot be kept")],
)
def test_a_method_that_cannot_take_views_says_so(method: str, remedy: str) -> None:
    with pytest.raises(SettingsError, match=remedy):
        check_augment(plan(method, {"training": {"augment": "flip"}}))
    check_augment(plan(method))


def test_an_unknown_view_is_named() -> None:
    with pytest.raises(SettingsError, match=r"training\.augment"):
        plan("encdiff", {"training": {"augment": "flip,zoom"}})
