import math

import pytest
import torch

from unweave.editing.interpolate import interpolate_units, slerp
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start


def test_slerp_between_right_angles_is_cosine_and_sine():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    for weight in (0.0, 0.25, 0.5, 1.0):
        angle = weight * math.pi / 2
        assert torch.allclose(slerp(a, b, weight), torch.tensor([[math.cos(angle), math.sin(angle)]]), atol=1e-6)


def test_slerp_keeps_the_norm_and_moves_the_angle_evenly():
    angles = torch.tensor([[0.3], [1.1], [2.9]])
    a = torch.tensor([[3.0, 0.0]]).expand(3, 2)
    b = 3 * torch.cat([angles.cos(), angles.sin()], 1)
    third = slerp(a, b, 1 / 3)
    assert torch.allclose(third.norm(dim=1), torch.full((3,), 3.0), atol=1e-5)
    assert torch.allclose(torch.atan2(third[:, 1], third[:, 0]), angles[:, 0] / 3, atol=1e-5)


def test_slerp_of_parallel_rows_is_linear():
    a = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    assert torch.allclose(slerp(a, 3 * a, 0.5), 2 * a)
    assert torch.equal(slerp(a, a, 0.3), a)


def test_the_ends_are_the_two_reconstructions(stripes, sampling, pairs):
    images, partners = pairs
    starts = [make_start(stripes, some, sampling=sampling, seed=None) for some in pairs]
    path = interpolate_units(stripes, images, partners, 4, sampling=sampling, start=starts[0], partner_start=starts[1])
    assert path.shape == (4, 5, 3, 8, 8)
    assert torch.allclose(path[0], reconstruct_images(stripes, images, sampling=sampling, start=starts[0]), atol=1e-6)
    assert torch.allclose(
        path[-1], reconstruct_images(stripes, partners, sampling=sampling, start=starts[1]), atol=1e-6
    )


def test_without_a_start_it_is_linear_in_the_units(one_shot, sampling, pairs):
    images, partners = pairs
    path = interpolate_units(one_shot, images, partners, 3, sampling=sampling, start=None)
    assert torch.allclose(path[1], (path[0] + path[2]) / 2, atol=1e-6)
    assert torch.equal(path[2], reconstruct_images(one_shot, partners, sampling=sampling, start=None))


def test_every_picture_is_at_its_share_of_the_way(one_shot, sampling, pairs):
    images, partners = pairs
    ends = interpolate_units(one_shot, images, partners, 2, sampling=sampling, start=None)
    some = interpolate_units(one_shot, images, partners, (0.25, 0, 0.9), sampling=sampling, start=None)
    for picture, share in zip(some, (0.25, 0, 0.9)):
        assert torch.allclose(picture, torch.lerp(ends[0], ends[1], share), atol=1e-6)


def test_a_discrete_unit_goes_over_at_once(one_shot, sampling, pairs):
    images, partners = pairs
    shares = (0, 0.3, 0.7, 1)
    path = interpolate_units(one_shot, images, partners, shares, sampling=sampling, start=None, discrete=range(100))
    assert torch.equal(path[1], path[0])
    assert torch.equal(path[2], path[3])
    assert not torch.equal(path[0], path[3])


def test_only_the_listed_units_move_when_the_start_is_kept(stripes, sampling, pairs):
    images, partners = pairs
    start = make_start(stripes, images, sampling=sampling, seed=None)
    path = interpolate_units(stripes, images, partners, 3, [3], sampling=sampling, start=start)
    assert torch.allclose(path[..., :6], images[..., :6].expand(3, 5, 3, 8, 6), atol=1e-6)
    assert (path[2] - path[0])[..., 6:].abs().mean() > 0.01


def test_chunking_changes_nothing(stripes, sampling, pairs):
    starts = [make_start(stripes, some, sampling=sampling, seed=None) for some in pairs]
    whole, chunked = (
        interpolate_units(stripes, *pairs, 3, sampling=sampling, start=starts[0], partner_start=starts[1], batch=size)
        for size in (64, 4)
    )
    assert torch.equal(whole, chunked)


def test_wrong_calls_say_what_is_right(stripes, blind, sampling, pairs):
    images, partners = pairs
    with pytest.raises(ValueError, match="steps must be at least 2, the two ends, got 1"):
        interpolate_units(stripes, images, partners, 1, sampling=sampling, start=None)
    for shares in ((), (0, 1.5)):
        with pytest.raises(ValueError, match=r"\(alpha\) is from 0"):
            interpolate_units(stripes, images, partners, shares, sampling=sampling, start=None)
    with pytest.raises(ValueError, match="one partner of the same size"):
        interpolate_units(stripes, images, partners[..., :4], 2, sampling=sampling, start=None)
    with pytest.raises(ValueError, match=r"unit must be in 0\.\.3, got 7"):
        interpolate_units(stripes, images, partners, 2, [7], sampling=sampling, start=None)
    with pytest.raises(TypeError, match="Blind has no decoder"):
        interpolate_units(blind, images, partners, 2, sampling=sampling, start=None)
