import pytest
import torch

from unweave.editing.reconstruct import reconstruct
from unweave.editing.start import begin


def test_inverted_start_gives_the_images_back(stripes, sampling, pairs):
    images, _ = pairs
    start = begin(stripes, images, sampling=sampling, seed=None)
    assert torch.allclose(reconstruct(stripes, images, sampling=sampling, start=start), images, atol=1e-6)


def test_chunking_changes_nothing(stripes, sampling, pairs):
    images, _ = pairs
    start = begin(stripes, images, sampling=sampling, seed=3)
    whole, chunked = (reconstruct(stripes, images, sampling=sampling, start=start, batch=size) for size in (64, 2))
    assert torch.equal(whole, chunked)
    assert max(stripes.sizes[-3:]) == 2


def test_no_decoder(blind, sampling, pairs):
    with pytest.raises(TypeError, match="Blind has no decoder"):
        reconstruct(blind, pairs[0], sampling=sampling, start=None)
