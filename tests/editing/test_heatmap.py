import pytest
import torch

from unweave.editing.heatmap import change_maps
from unweave.editing.start import make_start


def test_each_unit_moves_its_stripe_by_the_change_of_its_colour(stripes, sampling, pairs):
    images, partners = pairs
    start = make_start(stripes, images, sampling=sampling, seed=None)
    maps = change_maps(stripes, images, partners, sampling=sampling, start=start, batch=3)
    change = (stripes.eval().encode(images) - stripes.encode(partners)).abs().mean((0, 2))  # (unit)
    expected = (torch.eye(4) * change).repeat_interleave(2, 1)[:, None, :].expand(4, 8, 8)
    assert torch.allclose(maps, expected, atol=1e-6)


def test_range_is_zero_to_two(one_shot, sampling):
    black, white = torch.full((2, 3, 8, 8), -1.0), torch.ones(2, 3, 8, 8)
    maps = change_maps(one_shot, black, white, sampling=sampling, start=None)
    assert maps.max() == 2
    assert change_maps(one_shot, black, black, sampling=sampling, start=None).max() == 0


def test_chunks_are_at_most_batch_images(stripes, sampling, pairs):
    start = make_start(stripes, pairs[0], sampling=sampling, seed=0)
    change_maps(stripes, *pairs, sampling=sampling, start=start, batch=3)
    assert max(stripes.sizes[-7:]) == 3


def test_wrong_calls_say_what_is_right(stripes, blind, sampling, pairs):
    images, partners = pairs
    with pytest.raises(ValueError, match="one partner"):
        change_maps(stripes, images, partners[1:], sampling=sampling, start=None)
    with pytest.raises(TypeError, match="Blind has no decoder"):
        change_maps(blind, images, partners, sampling=sampling, start=None)
