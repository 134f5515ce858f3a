import pytest
import torch

from unweave.editing.adjust import adjust_units
from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start
from unweave.editing.traverse import traverse_units


def test_every_group_gets_its_values_and_the_rest_stays(stripes, sampling, pairs):
    images, _ = pairs
    start = torch.zeros_like(images)
    values = [torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), torch.tensor([[-1.0, 0.0, 1.0]])]
    edited = adjust_units(stripes, images, [[0, 2], [3]], values, sampling=sampling, start=start)
    own = reconstruct_images(stripes, images, sampling=sampling, start=start)
    for unit, value in ((0, values[0][0]), (2, values[0][1]), (3, values[1][0])):
        assert torch.equal(edited[..., 2 * unit : 2 * unit + 2], value[None, :, None, None].expand(5, 3, 8, 2))
    assert torch.equal(edited[..., 2:4], own[..., 2:4])


def test_no_edit_is_the_reconstruction_and_one_is_a_step_of_a_traversal(stripes, sampling, pairs):
    images, _ = pairs
    start = make_start(stripes, images, sampling=sampling, seed=3)
    own = reconstruct_images(stripes, images, sampling=sampling, start=start)
    assert torch.equal(adjust_units(stripes, images, [], [], sampling=sampling, start=start), own)
    point = torch.tensor([[0.3, -0.2, 0.9]])
    step = traverse_units(stripes, images, [[1]], [point[None]], sampling=sampling, start=start)[0, 0]
    assert torch.equal(adjust_units(stripes, images, [[1]], [point], sampling=sampling, start=start, batch=2), step)


def test_wrong_calls_say_what_is_right(stripes, blind, sampling, pairs):
    images, _ = pairs
    with pytest.raises(ValueError, match=r"unit must be in 0\.\.3, got 4"):
        adjust_units(stripes, images, [[4]], [torch.zeros(1, 3)], sampling=sampling, start=torch.zeros_like(images))
    with pytest.raises(TypeError, match="no decoder"):
        adjust_units(blind, images, [[0]], [torch.zeros(1, 1)], sampling=sampling, start=None)
