import pytest
import torch

from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.swap import swap_each, swap_units


@pytest.mark.parametrize("unit", range(4))
def test_a_unit_changes_its_own_stripe_only(stripes, sampling, pairs, unit):
    images, partners = pairs
    start = make_start(stripes, images, sampling=sampling, seed=None)
    edited = swap_units(stripes, images, partners, [unit], sampling=sampling, start=start)
    changed = (edited - images).abs().amax((0, 1, 2)) > 1e-5  # (width)
    assert changed.tolist() == [unit == stripe for stripe in range(4) for _ in range(2)]


def test_all_units_without_a_start_give_the_partner(one_shot, sampling, pairs):
    images, partners = pairs
    edited = swap_units(one_shot, images, partners, range(4), sampling=sampling, start=None)
    assert torch.equal(edited, reconstruct_images(one_shot, partners, sampling=sampling, start=None))


def test_no_units_give_the_reconstruction(stripes, sampling, pairs):
    images, partners = pairs
    start = make_start(stripes, images, sampling=sampling, seed=0)
    edited = swap_units(stripes, images, partners, [], sampling=sampling, start=start)
    assert torch.equal(edited, reconstruct_images(stripes, images, sampling=sampling, start=start))


def test_chunking_changes_nothing(stripes, sampling, pairs):
    images, partners = pairs
    start = make_start(stripes, images, sampling=sampling, seed=0)
    whole, chunked = (
        swap_units(stripes, images, partners, [0, 2], sampling=sampling, start=start, batch=size) for size in (64, 2)
    )
    assert torch.equal(whole, chunked)


@pytest.mark.parametrize("unit", [12, -1])
def test_a_unit_that_is_not_there(stripes, sampling, pairs, unit):
    stripes.train()
    with pytest.raises(ValueError, match=rf"unit must be in 0\.\.3, got {unit}: this run has 4 units\."):
        swap_units(stripes, *pairs, [0, unit], sampling=sampling, start=None)
    assert stripes.training


def test_one_partner_per_image(stripes, sampling, pairs):
    images, partners = pairs
    with pytest.raises(ValueError, match=r"one shape, got \(5, 3, 8, 8\) and \(4, 3, 8, 8\)"):
        swap_units(stripes, images, partners[:4], [0], sampling=sampling, start=None)


def test_no_decoder(blind, sampling, pairs):
    with pytest.raises(TypeError, match="Blind has no decoder"):
        swap_units(blind, *pairs, [0], sampling=sampling, start=None)


def test_each_unit_by_itself_in_one_go(stripes, sampling, pairs):
    images, partners = pairs
    start = make_start(stripes, images, sampling=sampling, seed=0)
    together = swap_each(stripes, images, partners, [[3], [0]], sampling=sampling, start=start, batch=3)
    assert together.shape == (5, 2, 3, 8, 8)
    for index, unit in enumerate([3, 0]):
        alone = swap_units(stripes, images, partners, [unit], sampling=sampling, start=start)
        assert torch.equal(together[:, index], alone)
    assert swap_each(stripes, images, partners, [], sampling=sampling, start=start).shape == (5, 0, 3, 8, 8)


def test_each_unit_must_be_there(stripes, sampling, pairs):
    with pytest.raises(ValueError, match=r"unit must be in 0\.\.3, got 9"):
        swap_each(stripes, *pairs, [[9]], sampling=sampling, start=None)
