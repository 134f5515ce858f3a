import pytest
import torch

from unweave.editing.reconstruct import reconstruct_images
from unweave.editing.start import make_start


def test_inverted_start_gives_the_images_back(stripes, sampling, pairs):
    images, _ = pairs
    start = make_start(stripes, images, sampling=sampling, seed=None)
    assert torch.allclose(reconstruct_images(stripes, images, sampling=sampling, start=start), images, atol=1e-6)


def test_chunking_changes_nothing(stripes, sampling, pairs):
    images, _ = pairs
    start = make_start(stripes, images, sampling=sampling, seed=3)
    whole, chunked = (
        reconstruct_images(stripes, images, sampling=sampling, start=start, batch=size) for size in (64, 2)
    )
    assert torch.equal(whole, chunked)
    assert max(stripes.sizes[-3:]) == 2


def test_no_decoder(blind, sampling, pairs):
    with pytest.raises(TypeError, match="Blind has no decoder"):
        reconstruct_images(blind, pairs[0], sampling=sampling, start=None)
