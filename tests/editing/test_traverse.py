import pytest
import torch

from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.traverse import traverse_units


def test_every_step_paints_its_point_and_keeps_the_rest(stripes, sampling, pairs):
    images, _ = pairs
    points = torch.linspace(-1, 1, 3)[:, None].expand(3, 3)
    frames = traverse_units(
        stripes, images, [[1]], [points[:, None]], sampling=sampling, start=torch.zeros_like(images)
    )
    assert frames.shape == (1, 3, 5, 3, 8, 8)
    (frames,) = frames
    for point, frame in zip(points, frames):
        assert torch.equal(frame[..., 2:4], point[None, :, None, None].expand(5, 3, 8, 2))
    own = reconstruct_images(stripes, images, sampling=sampling, start=torch.zeros_like(images))
    assert torch.equal(frames[..., 4:], own[..., 4:].expand(3, 5, 3, 8, 4))


def test_at_its_own_value_it_is_the_reconstruction(stripes, sampling, pairs):
    image = pairs[0][:1]
    start = make_start(stripes, image, sampling=sampling, seed=5)
    own = stripes.eval().encode(image)[:, 2]
    frames = traverse_units(stripes, image, [[2]], [own[None]], sampling=sampling, start=start)
    assert torch.equal(frames[0, 0], reconstruct_images(stripes, image, sampling=sampling, start=start))


def test_chunking_changes_nothing(stripes, sampling, pairs):
    images, _ = pairs
    start = make_start(stripes, images, sampling=sampling, seed=0)
    points = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    whole, chunked = (
        traverse_units(stripes, images, [[0]], [points[:, None]], sampling=sampling, start=start, batch=size)
        for size in (64, 3)
    )
    assert torch.equal(whole, chunked)
    assert max(stripes.sizes[-7:]) == 3


def test_units_together_are_units_one_by_one(stripes, sampling, pairs):
    images, _ = pairs
    start = make_start(stripes, images, sampling=sampling, seed=0)
    lines = list(torch.randn(3, 4, 1, 3, generator=torch.Generator().manual_seed(1)))
    together = traverse_units(stripes, images, [[2], [0], [3]], lines, sampling=sampling, start=start, batch=7)
    for index, unit in enumerate([2, 0, 3]):
        single = traverse_units(stripes, images, [[unit]], [lines[index]], sampling=sampling, start=start)
        assert torch.equal(together[index], single[0])


def test_wrong_calls_say_what_is_right(stripes, blind, sampling, pairs):
    images, _ = pairs
    start = torch.zeros_like(images)
    with pytest.raises(ValueError, match=r"unit must be in 0\.\.3, got 4"):
        traverse_units(stripes, images, [[4]], [torch.zeros(2, 1, 3)], sampling=sampling, start=start)
    with pytest.raises(ValueError, match="points must be of dimension 3, as the units are, got 2"):
        traverse_units(stripes, images, [[0]], [torch.zeros(2, 1, 2)], sampling=sampling, start=start)
    with pytest.raises(ValueError, match="at least one row"):
        traverse_units(stripes, images, [[0]], [torch.zeros(0, 1, 3)], sampling=sampling, start=start)
    with pytest.raises(ValueError, match="rows for each of the 2 edits, got 1"):
        traverse_units(stripes, images, [[0], [1]], [torch.zeros(2, 1, 3)], sampling=sampling, start=start)
    with pytest.raises(TypeError, match="Blind has no decoder"):
        traverse_units(blind, images, [[0]], [torch.zeros(2, 1, 1)], sampling=sampling, start=None)
